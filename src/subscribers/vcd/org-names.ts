/** Names of organisations for events that carry only an id, and what this login sees of the cloud. */
import type { VcdConfig } from '../../config/sources.ts'
import { describe, Fatal, Retryable } from '../../errors.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import type { VcdApi } from './api.ts'
import { listOrgs, type Org } from './orgs.ts'

const REFRESH_MS = 3_600_000
/** An id that the list doesn't have is a new organisation, or one that we may not see: asked for no oftener than this. */
const UNKNOWN_MS = 300_000

/** What stays between two sessions of one source, in memory only. */
export interface OrgsMemory {
  orgs: readonly Org[]
  /** `clock.now()` of the last look, successful or not. */
  orgsAt: number
  orgsFailed: boolean
}

export class OrgNames {
  readonly #memory: OrgsMemory
  readonly #api: VcdApi
  readonly #clock: Clock
  readonly #report: Report
  readonly #source: string
  #missed = false

  constructor(
    memory: OrgsMemory,
    { api, clock, report, config }: { api: VcdApi; clock: Clock; report: Report; config: VcdConfig },
  ) {
    this.#memory = memory
    this.#api = api
    this.#clock = clock
    this.#report = report
    this.#source = config.name
  }

  /** Name of that bare id; of undefined, of the only organisation there is to see. */
  name(id: string | undefined): string | undefined {
    const { orgs } = this.#memory
    if (id === undefined) return orgs.length === 1 ? orgs[0]?.name : undefined
    const found = orgs.find(org => org.id === id)?.name
    if (found === undefined) this.#missed = true
    return found
  }

  /**
   * Asks for the list when it is due: hourly, or sooner for an id that it didn't have. Events go on without it, so of what
   * goes wrong only refused credentials and the end of the session are thrown on.
   */
  async refresh(): Promise<void> {
    const sinceMs = this.#clock.now() - this.#memory.orgsAt
    if (sinceMs < (this.#missed || this.#memory.orgsFailed ? UNKNOWN_MS : REFRESH_MS)) return
    this.#missed = false
    this.#memory.orgsAt = this.#clock.now()
    let orgs: Org[]
    try {
      orgs = await listOrgs(this.#api)
    } catch (error) {
      if (isEnd(error)) throw error
      if (!this.#memory.orgsFailed) this.#advise(`organisations keep their ids for names: ${describe(error)}`)
      this.#memory.orgsFailed = true
      return
    }
    this.#memory.orgsFailed = false
    const before = this.#memory.orgs
    this.#memory.orgs = orgs
    const gone = before.filter(org => !orgs.some(one => one.id === org.id))
    if (gone.length === 0) return
    const names = gone.slice(0, 5).map(org => org.name)
    const more = gone.length > names.length ? ` and ${gone.length - names.length} more` : ''
    this.#advise(
      `this login sees ${orgs.length} of the ${before.length} organisations that it saw before, without ${names.join(', ')}${more}: ` +
        'they were deleted, or its role sees less, and then their events are missing',
    )
  }

  #advise(text: string): void {
    this.#report({ type: 'advice', source: this.#source, text })
  }
}

/** Refused credentials and the end of the session are more than a missing list. */
function isEnd(error: unknown): boolean {
  return error instanceof Fatal ? error.code === 'auth_refused' : !(error instanceof Retryable)
}

/** What waits to be written, in order, and who may go next when the store is over its limit. */
import type { Job } from './ledger.ts'

/** One append or burial that somebody waits for. */
export interface Waiting extends Job {
  /** Whose it is: the jobs of one source keep their order. */
  readonly source: string
  /** Rows it writes at most, and bytes it adds against the limit at most. */
  readonly rows: number
  readonly bytes: number
  readonly overdraft: boolean
  /** Writes only what the thread can write: its result depends on nothing that the file makes. */
  readonly plain: boolean
  /** It is durable. */
  resolve(): void
  reject(error: unknown): void
  /** It was being written and was not: it waits again, unless it was given up meanwhile. */
  again(): void
}

/** A commit takes no more than this, but always one job: the event loop stands still meanwhile. */
const GROUP_ROWS = 512
const GROUP_BYTES = 4 * 1024 * 1024

/** How far over the limit a source that can't be asked again may go. */
const OVERDRAFT = 1.1

export interface Group {
  readonly jobs: readonly Waiting[]
  /** Others could go as well, in the next commit. */
  readonly more: boolean
  /** Some must wait until there is room. */
  readonly held: boolean
  /** Among them one that may go beyond the limit: its source can't be asked again. */
  readonly pressed: boolean
}

export class WaitingLine {
  #jobs: Waiting[] = []
  #rows = 0

  add(job: Waiting): void {
    this.#jobs.push(job)
    this.#rows += job.rows
  }

  remove(gone: ReadonlySet<Waiting>): void {
    this.#jobs = this.#jobs.filter(job => !gone.has(job))
    this.#rows = this.#jobs.reduce((sum, job) => sum + job.rows, 0)
  }

  get length(): number {
    return this.#jobs.length
  }

  /** Enough rows wait to fill a commit. */
  get full(): boolean {
    return this.#rows >= GROUP_ROWS
  }

  /**
   * Who goes next, when the store holds `bytes` of `maxBytes`. One that doesn't fit holds back all later ones of its
   * source, and all later ones under the same limit: else small appends would pass a large one for ever. One larger
   * than a quarter of the limit goes once a quarter is free; it might never fit otherwise.
   */
  next(bytes: number, maxBytes: number): Group {
    const jobs: Waiting[] = []
    const heldSources = new Set<string>()
    const heldLimits = new Set<boolean>()
    let rows = 0
    let added = 0
    for (const job of this.#jobs) {
      if (jobs.length > 0 && (rows + job.rows > GROUP_ROWS || added + job.bytes > GROUP_BYTES)) {
        return { jobs, more: true, held: heldSources.size > 0, pressed: heldLimits.has(true) }
      }
      const limit = job.overdraft ? maxBytes * OVERDRAFT : maxBytes
      const fits = job.bytes === 0 || bytes + added + Math.min(job.bytes, limit / 4) <= limit
      const behind = heldSources.has(job.source) || (job.bytes > 0 && heldLimits.has(job.overdraft))
      if (!fits || behind) {
        heldSources.add(job.source)
        heldLimits.add(job.overdraft)
        continue
      }
      jobs.push(job)
      rows += job.rows
      added += job.bytes
    }
    return { jobs, more: false, held: heldSources.size > 0, pressed: heldLimits.has(true) }
  }

  /** Empties the line. */
  drain(): Waiting[] {
    const jobs = this.#jobs
    this.#jobs = []
    this.#rows = 0
    return jobs
  }
}

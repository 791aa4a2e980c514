/**
 * Objects of which only a part was pushed, never seen whole, and faults whose end may have been told before: they are asked for;
 * what comes meanwhile waits.
 */
import { isSessionError } from './client.ts'
import type { Core, Watched } from './core.ts'
import type { Change } from './decode.ts'
import { wholeByLog } from './fault-fill.ts'
import { queryUrl } from './query.ts'

type Attributes = Record<string, string>

export interface FillerOptions {
  readonly core: Core
  /** Applies a change; `anyway` when the whole object can't be had. */
  readonly apply: (change: Change, anyway: boolean) => void
  /** Takes note of a change that is told already. */
  readonly note: (change: Change) => void
}

export class Filler {
  readonly #options: FillerOptions
  readonly #waiting = new Map<string, Change[]>()

  constructor(options: FillerOptions) {
    this.#options = options
  }

  /** Takes a change of an object that is being asked for, or has to be. False: neither, apply it. `named`: by its frame. */
  holds(change: Change, named: readonly Watched[]): boolean {
    const waiting = this.#waiting.get(change.dn)
    if (waiting !== undefined) waiting.push(change)
    // The end of what is known to be gone is no news, whichever end it is.
    else if (isDoubtfulEnd(change, named) && this.#isKnown(change)) void this.#confirm(change)
    else return false
    return true
  }

  /** Asks for the object and applies `change` completed by it, then what came meanwhile, in order. */
  async fill(change: Change): Promise<void> {
    const { core, apply } = this.#options
    // Of a fault that is gone already, as its log has it.
    const ask = async () => (await this.#find(change)) ?? wholeByLog(core, change)
    await this.#asking(change, ask, whole => {
      if (whole === undefined) apply(change, true)
      else apply({ ...change, attributes: whole, whole: true }, false)
    })
  }

  #isKnown({ dn }: Change): boolean {
    return this.#options.core.mirror.get(dn) !== undefined
  }

  /** Applies the end of a fault, unless it is there, in the life that is known of it. */
  async #confirm(change: Change): Promise<void> {
    const { core, apply, note } = this.#options
    const ask = () => this.#find(change)
    await this.#asking(change, ask, found => {
      const known = core.mirror.get(change.dn)?.attributes
      const isKnown = found !== undefined && known !== undefined && found['created'] === known['created']
      if (isKnown) note(change)
      else apply(change, false)
    })
  }

  /** `then` gets what was found; undefined also when it can't be asked for. */
  async #asking(change: Change, ask: () => Promise<Attributes | undefined>, then: (found?: Attributes) => void) {
    const { core, apply } = this.#options
    const later: Change[] = []
    this.#waiting.set(change.dn, later)
    let found: Attributes | undefined
    try {
      found = await ask()
    } catch (error) {
      if (isSessionError(error)) core.fail(error)
    } finally {
      this.#waiting.delete(change.dn)
    }
    if (core.signal.aborted) return
    then(found)
    for (const one of later) apply(one, false)
  }

  /** The whole object as it is. */
  async #find(change: Change): Promise<Attributes | undefined> {
    const { client, signal, config } = this.#options.core
    const path = queryUrl({ path: `/api/mo/${change.dn}`, options: [] }, config.format)
    const answer = await client.get(path, 'fill', signal)
    return answer.objects.find(object => object.cls === change.cls)?.attributes
  }
}

/**
 * A deletion has no time. If a reconcile has just told of the fault, by its log, this may be the end that it told, and the fault
 * have come again since.
 */
function isDoubtfulEnd({ cls, dn, status }: Change, named: readonly Watched[]): boolean {
  return cls === 'faultInst' && status === 'deleted' && named.some(({ hearing }) => hearing.hasFound(dn))
}

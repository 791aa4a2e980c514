/** Objects of which only a part was pushed, never seen whole: the whole one is asked for; what comes meanwhile waits. */
import { isSessionError } from './client.ts'
import type { Core } from './core.ts'
import type { Change } from './decode.ts'
import { wholeByLog } from './fault-fill.ts'
import { queryUrl } from './query.ts'

export interface FillerOptions {
  readonly core: Core
  /** Applies a change; `anyway` when the whole object can't be had. */
  readonly apply: (change: Change, anyway: boolean) => void
}

export class Filler {
  readonly #options: FillerOptions
  readonly #waiting = new Map<string, Change[]>()

  constructor(options: FillerOptions) {
    this.#options = options
  }

  /** Takes a change of an object that is being asked for. False: it is not, apply it. */
  holds(change: Change): boolean {
    const waiting = this.#waiting.get(change.dn)
    waiting?.push(change)
    return waiting !== undefined
  }

  /** Asks for the object and applies `change` completed by it, then what came meanwhile, in order. */
  async fill(change: Change): Promise<void> {
    const { core, apply } = this.#options
    const later: Change[] = []
    this.#waiting.set(change.dn, later)
    let whole: Record<string, string> | undefined
    try {
      whole = await this.#ask(change)
    } catch (error) {
      if (isSessionError(error)) core.fail(error)
    } finally {
      this.#waiting.delete(change.dn)
    }
    if (core.signal.aborted) return
    if (whole === undefined) apply(change, true)
    else apply({ ...change, attributes: whole, whole: true }, false)
    for (const one of later) apply(one, false)
  }

  /** The whole object as it is; of a fault that is gone already, as its log has it. */
  async #ask(change: Change): Promise<Record<string, string> | undefined> {
    const { client, signal, config } = this.#options.core
    const path = queryUrl({ path: `/api/mo/${change.dn}`, options: [] }, config.format)
    const answer = await client.get(path, 'fill', signal)
    const found = answer.objects.find(object => object.cls === change.cls)
    return found?.attributes ?? wholeByLog(this.#options.core, change)
  }
}

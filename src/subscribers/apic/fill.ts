/**
 * Objects of which only a part was pushed, never seen whole, and faults whose end may have been told before: they are asked for;
 * what comes of them meanwhile waits, for seconds at most.
 */
import { Retryable } from '../../errors.ts'
import { isSessionError } from './client.ts'
import type { Core } from './core.ts'
import type { Change } from './decode.ts'
import { wholeByLog } from './fault-fill.ts'
import type { HeldPush } from './held-back.ts'
import { TIME_PROPERTIES } from './mirror.ts'
import { patient } from './patient.ts'
import { queryUrl } from './query.ts'
import { msOf } from './times.ts'

type Attributes = Record<string, string>

/** Pushes of one feed that wait for answers: about as many as are answered in time. What is more is told as it was pushed. */
const MOST_WAITING = 2000

export interface FillerOptions {
  readonly core: Core
  /** Its name. */
  readonly feed: string
  /** Applies a push; `anyway` when the whole object can't be had. */
  readonly apply: (push: HeldPush, anyway: boolean) => void
  /** Takes note of a change that is told already. */
  readonly note: (change: Change) => void
}

/** An object that is being asked for. */
interface Asking {
  readonly push: HeldPush
  /** What came of it since, in its order. */
  readonly waiting: HeldPush[]
  /** When that push was made, by the fabric's clock. */
  readonly atMs: number
  readonly over: AbortController
  /** Tells the push by what was found (undefined: nothing, or nobody answers), and by what was pushed since. */
  readonly then: (found: Attributes | undefined, waiting: readonly HeldPush[]) => void
}

export class Filler {
  readonly #options: FillerOptions
  readonly #asked = new Map<string, Asking>()
  #size = 0

  constructor(options: FillerOptions) {
    this.#options = options
  }

  /** True while pushes of this object wait. */
  isAsking(dn: string): boolean {
    return this.#asked.has(dn)
  }

  /** Takes a push of an object that is being asked for, or has to be. False: neither, apply it. */
  holds(push: HeldPush): boolean {
    const asking = this.#asked.get(push.change.dn)
    if (asking !== undefined) {
      asking.waiting.push(push)
      if (++this.#size > MOST_WAITING) this.#end(asking, undefined, true)
    }
    // The end of what is known to be gone is no news, whichever end it is.
    else if (this.#isKnown(push.change) && this.#isDoubtfulEnd(push.change)) this.#confirm(push)
    else return false
    return true
  }

  /** Asks for the object and applies the push completed by it, then what came meanwhile, in order. */
  fill(push: HeldPush): void {
    const { change } = push
    const then = (whole: Attributes | undefined): void => {
      if (whole === undefined) this.#options.apply(push, true)
      else
        this.#options.apply({ ...push, change: { ...change, attributes: whole, whole: true }, pushed: change }, false)
    }
    void this.#ask(push, then, async asking => {
      const found = await this.#had(asking, signal => this.#find(change, signal))
      const same = found !== undefined && isOfItsLife(found, asking) ? found : undefined
      if (same !== undefined && !isLater(same, change)) return { ...same, ...change.attributes }
      // Of a fault that has gone on already, or is gone, as its log has it.
      const logged = await this.#had(asking, signal =>
        wholeByLog({ ...this.#options.core, signal }, change, asking.atMs),
      )
      return logged === undefined ? same : { ...same, ...logged }
    })
  }

  /**
   * The subscription is over, and a newer snapshot comes: what waits is told as it was pushed, before that. What a fault did is left to
   * its log, which is read then and has all of it.
   */
  end(): void {
    for (const asking of this.#asked.values()) {
      if (asking.push.change.cls === 'faultInst') this.#drop(asking)
      else this.#end(asking, undefined, true)
    }
  }

  #isKnown({ dn }: Change): boolean {
    return this.#options.core.mirror.get(dn) !== undefined
  }

  /**
   * A deletion has no time. If a reconcile has just told of the fault, by its log, this may be the end that it told, and the fault
   * have come again since. Whichever feed's reconcile told it: a frame may name one subscription only.
   */
  #isDoubtfulEnd({ cls, dn, status }: Change): boolean {
    if (cls !== 'faultInst' || status !== 'deleted') return false
    return this.#options.core.watchers().some(({ hearing }) => hearing.hasFound(dn))
  }

  /** Applies the end of a fault, unless it is there, in the life that is known of it. */
  #confirm(push: HeldPush): void {
    const { core, apply, note } = this.#options
    const { change } = push
    const then = (found: Attributes | undefined, waiting: readonly HeldPush[]): void => {
      const known = core.mirror.get(change.dn)?.attributes
      const isThere = found !== undefined && found['created'] === known?.['created']
      if (known !== undefined && (isThere || isOutlived(waiting[0], known))) note(change)
      else apply(push, false)
    }
    void this.#ask(push, then, asking => this.#had(asking, signal => this.#find(change, signal)))
  }

  async #ask(push: HeldPush, then: Asking['then'], ask: (asking: Asking) => Promise<Attributes | undefined>) {
    if (this.#size >= MOST_WAITING) return then(undefined, [])
    const ownMs = changedMs(push.change.attributes)
    const atMs = Number.isNaN(ownMs) ? this.#options.core.fabricNow() : ownMs
    const asking: Asking = { push, waiting: [], atMs, over: new AbortController(), then }
    this.#asked.set(push.change.dn, asking)
    this.#size++
    const found = await ask(asking)
    if (!asking.over.signal.aborted) this.#end(asking, found)
  }

  /** `anyway`: nothing of it is asked for any more. */
  #end(asking: Asking, found: Attributes | undefined, anyway = false): void {
    const { core, apply } = this.#options
    // Nothing can be told any more.
    if (core.signal.aborted) {
      this.#drop(asking)
      return
    }
    this.#forget(asking)
    asking.then(found, asking.waiting)
    // One of them may have to be asked for as well: then what comes after it waits on.
    for (const one of asking.waiting) if (anyway || !this.holds(one)) apply(one, anyway)
  }

  /** The hole begins there, whatever later pushes have proved. */
  #drop(asking: Asking): void {
    this.#forget(asking)
    this.#options.core.continuity.suspect(this.#options.feed, asking.atMs)
  }

  #forget({ push, waiting, over }: Asking): void {
    this.#asked.delete(push.change.dn)
    this.#size -= 1 + waiting.length
    over.abort()
  }

  /** What is answered in time, asked again while the controller is overloaded or away; undefined: nothing, or it is refused. */
  async #had(
    { over }: Asking,
    ask: (signal: AbortSignal) => Promise<Attributes | undefined>,
  ): Promise<Attributes | undefined> {
    const { core } = this.#options
    const late = new AbortController()
    const cancel = core.clock.after(core.tuning.fillMs, () => late.abort(new Retryable('timeout', 'not in time')))
    const signal = AbortSignal.any([core.signal, over.signal, late.signal])
    try {
      return await patient(core.clock, signal, () => ask(signal))
    } catch (error) {
      if (isSessionError(error)) core.fail(error)
      return undefined
    } finally {
      cancel()
    }
  }

  /** The whole object as it is. */
  async #find(change: Change, signal: AbortSignal): Promise<Attributes | undefined> {
    const { client, config } = this.#options.core
    const path = queryUrl({ path: `/api/mo/${change.dn}`, options: [] }, config.format)
    const answer = await client.get(path, 'fill', signal)
    return answer.objects.find(object => object.cls === change.cls)?.attributes
  }
}

/** True when what was pushed next after an end belongs to the life that is known: that one was not ended by it, though it may be over by now. */
function isOutlived(next: HeldPush | undefined, known: Readonly<Attributes>): boolean {
  if (next === undefined || next.change.status === 'deleted') return false
  return next.change.status === 'modified' || changedMs(next.change.attributes) <= changedMs(known)
}

/**
 * False for an object that has ended since the push, and come again. Of a fault its birth tells; it may have been found before its
 * end is pushed. Else the end that waits tells, unless what was found is no later than what was pushed before that.
 */
function isOfItsLife(found: Attributes, { push, waiting }: Asking): boolean {
  const pushes = [push, ...waiting].map(({ change }) => change)
  const next = pushes.findIndex(({ status }) => status !== 'modified')
  const times = (next < 0 ? pushes : pushes.slice(0, next)).map(({ attributes }) => changedMs(attributes))
  const lastMs = Math.max(...times.filter(ms => !Number.isNaN(ms)))
  const bornMs = msOf(found['created'])
  if (!Number.isNaN(bornMs) && lastMs > Number.NEGATIVE_INFINITY) return bornMs <= lastMs
  return next < 0 || changedMs(found) <= lastMs
}

/** True when the object has changed since the push. */
function isLater(found: Attributes, { attributes }: Change): boolean {
  return changedMs(found) > changedMs(attributes)
}

/** When an object changed, by its own clock, ms; `NaN` where it does not say. */
function changedMs(attributes: Attributes): number {
  for (const property of TIME_PROPERTIES) {
    const ms = msOf(attributes[property])
    if (!Number.isNaN(ms)) return ms
  }
  return Number.NaN
}

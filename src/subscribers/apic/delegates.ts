/**
 * A faultDelegate and its faultInst tell of one problem (reference b24): it is told once, by the faultInst. A delegate
 * is mirrored like everything else; while its twin is there, or may still come, nobody is told of it. Once told, it is
 * told to its end: an alert that was opened is closed.
 *
 * Whether it was told stands in the mirror, in the version: so it holds through restarts and hand-overs, and whatever
 * was waiting when a session ended is found again by the next whole read.
 */
import type { Origin } from '../../event.ts'
import type { ManagedObject } from '../../record.ts'
import type { Cancel } from '../../scheduler/clock.ts'
import { type ApplyOptions, applyChange } from './apply.ts'
import type { Core, Watched } from './core.ts'
import type { Change } from './decode.ts'
import { showsFaults } from './hole.ts'
import { normalise } from './normalise.ts'
import { isOpen } from './normalise-fault.ts'
import type { Outcome } from './outcome.ts'
import { isUntold, UNTOLD } from './twins.ts'

const DELEGATE = 'faultDelegate'
/** A delegate without its twin waits so long: the two are pushed by different processes of the fabric. */
const HOLD_MS = 3000
/** Longer, while a subscription that may show the twin is still being made; but no longer than this. */
const LONGEST_MS = 60_000
/** More than this don't wait. */
const MOST_WAITING = 10_000

interface Waiting {
  readonly dn: string
  readonly feed: Watched
  readonly origin: Origin
  readonly publish: boolean
  readonly watchers: readonly Watched[]
  /** Monotonic ms from when on the delegate is known as it is. */
  readonly asOf: number
  readonly since: number
}

/** The delegates of one session. Ends with it: what waits is told by the next. */
export class Delegates {
  readonly #waiting = new Map<string, Cancel>()

  close(): void {
    for (const cancel of this.#waiting.values()) cancel()
    this.#waiting.clear()
  }

  /** What becomes of a delegate's change: as it is, or mirrored without a word. `previous` is the mirror's version. */
  judge(
    core: Core,
    feed: Watched,
    change: Change,
    options: ApplyOptions,
    { previous, outcome }: { readonly previous: ManagedObject | undefined; readonly outcome: Outcome },
  ): Outcome {
    if (change.cls !== DELEGATE || options.alone === true || outcome.fact === undefined) return outcome
    const wasUntold = previous !== undefined && isUntold(previous)
    if (previous !== undefined && isOpen(previous) && !wasUntold) return outcome
    const object = outcome.mirror?.object ?? previous
    if (object !== undefined && hasTwin(core, object)) return unsaid(outcome)
    if (previous !== undefined && wasUntold && isOpen(previous)) {
      // It changes while it waits: what it was is told first, and then what it becomes.
      this.#tell(core, waitingOf(core, feed, change.dn, options))
      const { source, config, mirror } = core
      const told = mirror.get(change.dn)
      return normalise({ source, raw: config.raw, origin: options.origin }, change, told)
    }
    return core.watchers().some(showsFaults) ? unsaid(outcome) : outcome
  }

  /** After a fault was applied: who waits no longer, and who waits from now on. `unsaid`: a delegate that was not told. */
  settle(core: Core, feed: Watched, change: Change, options: ApplyOptions, unsaid: boolean): void {
    const { mirror } = core
    if (change.cls === DELEGATE) {
      this.#look(core, mirror.get(change.dn), unsaid, () => waitingOf(core, feed, change.dn, options))
      return
    }
    if (change.cls !== 'faultInst') return
    for (const dn of mirror.twins.delegatesOf(change.dn)) {
      const since: Waiting = {
        ...waitingOf(core, feed, dn, { origin: options.origin, publish: true }),
        watchers: core.watchers().filter(one => one.query.covers(DELEGATE, dn)),
      }
      this.#look(core, mirror.get(dn), false, () => since)
    }
  }

  /** After a whole read: what an earlier session let wait, and no change speaks of any more, waits on here. */
  resume(core: Core, feed: Watched): void {
    const { mirror } = core
    for (const dn of mirror.twins.delegates()) {
      if (!feed.query.covers(DELEGATE, dn)) continue
      this.#look(core, mirror.get(dn), false, () => {
        const watchers = core.watchers().filter(one => one.query.covers(DELEGATE, dn))
        return waitingOf(core, feed, dn, { origin: 'resync', publish: true, watchers })
      })
    }
  }

  #look(core: Core, delegate: ManagedObject | undefined, fresh: boolean, wait: () => Waiting): void {
    if (delegate === undefined) return
    const waits = isUntold(delegate) && (fresh || isOpen(delegate)) && !hasTwin(core, delegate)
    if (!waits) {
      this.#waiting.get(delegate.key)?.()
      this.#waiting.delete(delegate.key)
    } else if (!this.#waiting.has(delegate.key)) this.#wait(core, wait())
  }

  #wait(core: Core, one: Waiting): void {
    const { clock, continuity, signal } = core
    const shows = core.watchers().filter(showsFaults)
    if (shows.length === 0 || this.#waiting.size >= MOST_WAITING) {
      this.#tell(core, one)
      return
    }
    const cancel = clock.after(HOLD_MS, () => {
      this.#waiting.delete(one.dn)
      const delegate = core.mirror.get(one.dn)
      if (signal.aborted || delegate === undefined || hasTwin(core, delegate)) return
      const isComing = shows.some(feed => !feed.refused && !continuity.isLive(feed.name))
      if (isComing && clock.now() - one.since < LONGEST_MS) this.#wait(core, one)
      else this.#tell(core, one)
    })
    this.#waiting.set(one.dn, cancel)
  }

  /** No twin came: it is told as the mirror has it. */
  #tell(core: Core, { dn, feed, origin, publish, watchers, asOf }: Waiting): void {
    this.#waiting.get(dn)?.()
    this.#waiting.delete(dn)
    const object = core.mirror.get(dn)
    if (object === undefined || !isUntold(object)) return
    const change: Change = { cls: DELEGATE, dn, attributes: { ...object.attributes }, status: 'created' }
    applyChange(core, feed, change, { origin, publish, watchers, asOf, alone: true }, true)
  }
}

function waitingOf(core: Core, feed: Watched, dn: string, options: ApplyOptions): Waiting {
  const { origin, publish, watchers = [feed], asOf } = options
  const since = core.clock.now()
  return { dn, feed, origin, publish, watchers, asOf: asOf ?? since, since }
}

/** Mirrored, and marked as not told. */
function unsaid(outcome: Outcome): Outcome {
  const { mirror, partial } = outcome
  const object = mirror?.object
  if (mirror === undefined || object === undefined || object === null) return { fact: undefined, mirror, partial }
  return {
    fact: undefined,
    mirror: { ...mirror, object: { ...object, version: `${UNTOLD}${object.version}` } },
    partial,
  }
}

/** A faultInst of the same problem is known, and is one that is told: it passes the filter of a subscription. */
function hasTwin(core: Core, delegate: ManagedObject): boolean {
  const { mirror } = core
  for (const dn of mirror.twins.faultsOf(delegate)) {
    const fault = mirror.get(dn)
    if (fault === undefined) continue
    const change: Change = { cls: fault.family, dn, attributes: {}, status: 'modified' }
    const tells = (one: Watched): boolean =>
      !one.hidden && one.query.covers(fault.family, dn) && one.accepts(change, undefined, fault)
    if (core.watchers().some(tells)) return true
  }
  return false
}

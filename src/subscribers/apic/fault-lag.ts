/**
 * The fault log may be behind the faults: rows become visible late (reference b2). A snapshot that is told before the log shows the
 * steps that led to it overtakes them for good, so catching up waits a moment for the log.
 */
import type { Asked, Core, Watched } from './core.ts'
import type { Change } from './decode.ts'
import type { Stretch } from './fault-history.ts'
import { type Border, isLogged, type Known, type Transition } from './fault-news.ts'

/** Until a log that is behind is looked at again; doubled each time. */
const FIRST_WAIT_MS = 200

/** The fault log as it was read at last. */
export interface LoggedFaults {
  readonly stretch: Stretch
  readonly byFault: ReadonlyMap<string, readonly Transition[]>
  /** It does not show yet how a fault became what the snapshot shows: steps in between may be missing. */
  readonly isBehind: boolean
}

export interface LagOptions {
  /** The rows are those from here on, ms. */
  readonly sinceMs: number
  readonly shown: ReadonlyMap<string, Change>
  readonly asked: Asked
  readonly signal: AbortSignal
  read(): Promise<Stretch>
  group(stretch: Stretch): ReadonlyMap<string, readonly Transition[]>
  knownOf(dn: string): Known
  borderOf(dn: string): Border
}

/** Reads until the log shows what the snapshot does, or too long was waited for that. */
export async function readWhenLogged(core: Core, feed: Watched, options: LagOptions): Promise<LoggedFaults> {
  let waitMs = FIRST_WAIT_MS
  let leftMs = core.tuning.logLagMs
  for (;;) {
    const stretch = await options.read()
    const byFault = options.group(stretch)
    const isBehind = isAnyUnlogged(core, feed, byFault, options)
    if (!isBehind || leftMs < waitMs || !(await core.allowance.wait(waitMs, options.signal))) {
      return { stretch, byFault, isBehind }
    }
    leftMs -= waitMs
    waitMs *= 2
  }
}

function isAnyUnlogged(
  { mirror }: Core,
  feed: Watched,
  byFault: ReadonlyMap<string, readonly Transition[]>,
  { sinceMs, shown, asked, knownOf, borderOf }: LagOptions,
): boolean {
  // What was pushed meanwhile is the later news, and told.
  const isLate = (dn: string): boolean =>
    !mirror.changedSince(dn, asked.at) && !isLogged(knownOf(dn), byFault.get(dn) ?? [], borderOf(dn), sinceMs)
  for (const { cls, dn } of shown.values()) {
    if (cls === 'faultInst' && feed.query.yields(cls, dn) && isLate(dn)) return true
  }
  for (const { family, key } of mirror.values()) {
    if (family === 'faultInst' && !shown.has(key) && feed.query.covers(family, key) && isLate(key)) return true
  }
  // Of one that nobody was told of the log may show the beginning, and not yet the end.
  for (const dn of byFault.keys()) if (!shown.has(dn) && mirror.get(dn) === undefined && isLate(dn)) return true
  return false
}

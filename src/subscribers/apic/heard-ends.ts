/**
 * Which row is the end that was heard of. An end has neither a state nor a time of its own, and it may be heard of late: but it lies
 * between the step that was heard before it and the one that was heard after it, and so does its row in the log. Pure.
 */
import type { Find, Near } from './fault-accounts.ts'
import { SKEW_MS, type Transition } from './fault-news.ts'
import { firstFrom, type Heard, isEnd, type Placed } from './heard-steps.ts'

/** By the fault's own time, ms. */
interface Span {
  readonly fromMs: number
  readonly toMs: number
}

interface HeardEnd extends Span {
  readonly heard: Heard
  /** Its latest time, by which they are sorted. */
  readonly atMs: number
}

/** Of a fault whose steps have no times, any end may be any: no more than so many are looked at for a row. */
const MOST_ENDS = 256
const EVER = { fromMs: Number.NEGATIVE_INFINITY, toMs: Number.POSITIVE_INFINITY }

/** Finds the ends that may stand for a row which ends a life; `heard`: all that was, in its order; `stepOf`: what was found for the row of a step. */
export function endsNear(
  heard: readonly Heard[],
  rows: readonly Placed[],
  stepOf: (index: number) => Heard | undefined,
): Find<Placed, Heard> {
  const ends = endsOf(heard).sort((a, b) => a.atMs - b.atMs)
  const spanOf = spansOf(rows, stepOf)
  return ({ row, end = row, isAfterOpen }, index) => {
    if (!isEnd(end) || ends.length === 0) return []
    const span = spanOf(index, end)
    const found: Near<Heard>[] = []
    const first = firstFrom(ends, span.fromMs)
    for (const one of ends.slice(first, first + MOST_ENDS)) {
      if (one.fromMs > span.toMs) break
      // It can't have been heard of before it was. And one that told nothing stands for no end of steps which nobody heard of.
      if (one.heard.atMs < end.atMs - SKEW_MS || (one.heard.isSilent && (isAfterOpen || end !== row))) continue
      if (!isTogether(span, one)) continue
      const offMs = Math.max(0, one.fromMs - end.atMs, end.atMs - one.toMs)
      found.push({ heard: one.heard, offMs, elseMs: Math.abs(one.heard.atMs - end.atMs) })
    }
    return found
  }
}

/** The ends that were told, and between which steps. */
function endsOf(heard: readonly Heard[]): HeardEnd[] {
  const ends: HeardEnd[] = []
  let [fromMs, waiting] = [EVER.fromMs, undefined as Heard | undefined]
  const settle = (toMs: number): void => {
    if (waiting === undefined) return
    const latestMs = waiting.atMs + SKEW_MS
    // Where the fault's time goes back, the fabric's clock was set: nobody knows.
    const span = toMs < fromMs ? { ...EVER, toMs: latestMs } : { fromMs, toMs: Math.min(toMs, latestMs) }
    ends.push({ ...span, heard: waiting, atMs: span.toMs })
    waiting = undefined
  }
  for (const one of heard) {
    // What was read only is not in the order in which it was heard.
    if (one.timeOf === 'row') continue
    settle(one.state === undefined ? EVER.toMs : one.atMs)
    if (one.state === undefined) waiting = one
    else if (one.timeOf === 'fault') fromMs = one.atMs
  }
  settle(EVER.toMs)
  return ends
}

/** Between which steps each end is in the log, as far as their own times are known: from the log itself, or as what they were heard as. */
function spansOf(
  rows: readonly Placed[],
  stepOf: (index: number) => Heard | undefined,
): (index: number, end: Transition) => Span {
  const times = rows.map(({ row }, index) => {
    if (isEnd(row)) return undefined
    if (row.isOwn === true) return row.atMs
    const heard = stepOf(index)
    return heard?.timeOf === 'fault' ? heard.atMs : undefined
  })
  // The index of the nearest with a time, on either side of each.
  const before: (number | undefined)[] = []
  const after: (number | undefined)[] = []
  for (let [index, last] = [0, undefined as number | undefined]; index < rows.length; index++) {
    before[index] = last
    if (times[index] !== undefined) last = index
  }
  for (let [index, next] = [rows.length - 1, undefined as number | undefined]; index >= 0; index--) {
    after[index] = next
    if (times[index] !== undefined) next = index
  }
  /** What is of the same ms as the end has no order with it. */
  const other = (nearest: readonly (number | undefined)[], index: number, ms: number): number | undefined => {
    let at = nearest[index]
    while (at !== undefined && times[at] === ms) at = nearest[at]
    return at
  }
  const skewMs = skewOf(rows)
  return (index, { atMs }) => {
    const [first, last] = [other(before, index, atMs), other(after, index, atMs)]
    const isOwn = (at: number | undefined): boolean => at !== undefined && rows[at]?.row.isOwn === true
    const timeAt = (at: number | undefined): number | undefined => (at === undefined ? undefined : times[at])
    let [fromMs, toMs] = [timeAt(first) ?? EVER.fromMs, timeAt(last) ?? EVER.toMs]
    if (fromMs > toMs) return { fromMs: atMs - SKEW_MS, toMs: atMs + SKEW_MS }
    if (!isOwn(first)) fromMs = Math.max(fromMs, atMs - skewMs)
    if (!isOwn(last)) toMs = Math.min(toMs, atMs + skewMs)
    return { fromMs, toMs }
  }
}

/** By how much the records of this fault are off its own times, where they have both. */
function skewOf(rows: readonly Placed[]): number {
  const own = rows.filter(({ row }) => row.isOwn === true && row.createdMs !== undefined)
  if (own.length === 0) return SKEW_MS
  return own.reduce((most, { row }) => Math.max(most, Math.abs((row.createdMs ?? row.atMs) - row.atMs)), 0)
}

/** True where they have more in common than a moment at which one follows the other. */
function isTogether(a: Span, b: Span): boolean {
  const [fromMs, toMs] = [Math.max(a.fromMs, b.fromMs), Math.min(a.toMs, b.toMs)]
  return fromMs < toMs || (fromMs === toMs && (a.fromMs === a.toMs || b.fromMs === b.toMs))
}

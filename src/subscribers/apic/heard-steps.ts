/**
 * What was heard of a fault, and when a row of its log may be that: by the state, and by a time that may be a little off. An end
 * has no state, and no time of its own. Pure.
 */
import { isOver, SKEW_MS, STATE, type Transition } from './fault-news.ts'
import { msOf } from './times.ts'

/** A step of a fault that was told, or read in its log. */
export interface Heard {
  readonly dn: string
  /** The fault's own time; of an end, when it was heard of. Ms by the fabric's clock. */
  readonly atMs: number
  /** Undefined: it is gone. */
  readonly state: State | undefined
  /** It was over already: its end told nothing. */
  readonly isSilent: boolean
  /** Only read in its log when this feed began: an earlier process told it, or nobody. Of no other feed. */
  readonly readBy: string | undefined
  /** What was read was told after all, by the comparison: that stands for it. */
  isReplaced: boolean
}

/** No more of a fault than is compared: all that it was would keep thousands of old versions in memory. */
type State = Readonly<Record<(typeof STATE)[number], string | undefined>>

/** What is remembered of this state; `nowMs` where it doesn't say since when. `wasOver`: before its end. */
export function heardOf(
  dn: string,
  state: Readonly<Record<string, string>> | undefined,
  nowMs: number,
  wasOver = false,
): Heard {
  const ownMs = msOf(state?.['lastTransition'])
  return {
    dn,
    atMs: Number.isNaN(ownMs) ? nowMs : ownMs,
    state: state && { severity: state['severity'], lc: state['lc'], occur: state['occur'] },
    isSilent: state === undefined && wasOver,
    readBy: undefined,
    isReplaced: false,
  }
}

/** Of a fault that comes and goes: an end may be heard of later, but not after so many others. */
const MOST_ENDS = 256

/** Finds those that may stand for a row, which the `end` after it may close: by their time, as there may be thousands. */
export function heardNear(
  heard: readonly Heard[],
): (row: Transition, which: 'exact' | 'near', end?: Transition) => readonly Heard[] {
  const sorted = heard.toSorted((a, b) => a.atMs - b.atMs)
  const states = sorted.filter(({ state }) => state !== undefined)
  const ends = sorted.filter(({ state }) => state === undefined)
  const within = (list: readonly Heard[], fromMs: number, toMs: number): readonly Heard[] =>
    list.slice(firstFrom(list, fromMs), firstFrom(list, toMs + 1))
  return (row, which, end = isEnd(row) ? row : undefined) => {
    if (which === 'exact') return within(isEnd(row) ? ends : states, row.atMs, row.atMs)
    const firstEnd = end === undefined ? 0 : firstFrom(ends, end.atMs - SKEW_MS)
    const later = end === undefined ? [] : ends.slice(firstEnd, firstEnd + MOST_ENDS)
    return isEnd(row) ? later : [...within(states, row.atMs - SKEW_MS, row.atMs + SKEW_MS), ...later]
  }
}

/** The index of the first that is not before `ms`. */
function firstFrom(sorted: readonly Heard[], ms: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle]?.atMs ?? ms) < ms) low = middle + 1
    else high = middle
  }
  return low
}

/** A row of the log with what matters of those around it. */
export interface Placed {
  readonly row: Transition
  /** It follows a step of a fault that was not over. */
  readonly isAfterOpen: boolean
  /** The end that follows a fault being over: whichever of the two is heard of closes it. */
  readonly end: Transition | undefined
}

/** Without the ends of what was over. */
export function placed(rows: readonly Transition[]): Placed[] {
  return rows.flatMap((row, index) => {
    const [before, after] = [rows[index - 1], rows[index + 1]]
    if (isEnd(row) && before !== undefined && !isOpen(before)) return []
    const isClosing = !isEnd(row) && !isOpen(row) && after !== undefined && isEnd(after)
    return [{ row, isAfterOpen: before !== undefined, end: isClosing ? after : undefined }]
  })
}

/** How far the row is from what was heard; undefined where they are not one step. */
export function offMs(row: Transition, heard: Heard, isAfterOpen = false): number | undefined {
  const off = Math.abs(row.atMs - heard.atMs)
  if (!isEnd(row)) return off <= SKEW_MS && isSameState(heard.state, row.change.attributes) ? off : undefined
  // An end that told nothing does not stand for one that came after steps which nobody heard of.
  if (heard.state !== undefined || (heard.isSilent && isAfterOpen)) return undefined
  // An end has no time of its own: it is heard of when it is, or a little later.
  return heard.atMs >= row.atMs - SKEW_MS ? off : undefined
}

/** The same for a row that closes a life, which is heard of by that row or by the `end` after it. */
export function closedMs(row: Transition, end: Transition, heard: Heard): number | undefined {
  if (heard.state !== undefined) return offMs(row, heard)
  const off = offMs(end, heard, true)
  // Rather by itself: the end may be needed by another life.
  return off === undefined ? undefined : off + 1
}

function isEnd({ change }: Transition): boolean {
  return change.status === 'deleted'
}

function isOpen(row: Transition): boolean {
  return !isEnd(row) && !isOver(row.change.attributes)
}

/** True where what both say agrees: a row of the log leaves out what it does not carry. */
export function isSameState(heard: State | undefined, other: Readonly<Record<string, string | undefined>>): boolean {
  return heard !== undefined && STATE.every(name => (other[name] || heard[name]) === (heard[name] || other[name]))
}

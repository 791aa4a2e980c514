/** What was heard of a fault, and when a row of its log may be that: by the state, and by a time that may be a little off. Pure. */
import type { Near } from './fault-accounts.ts'
import { isOver, SKEW_MS, STATE, type Transition } from './fault-news.ts'
import { msOf } from './times.ts'

/** A step of a fault that was told, or read in its log. */
export interface Heard {
  readonly dn: string
  /** Ms by the fabric's clock. */
  readonly atMs: number
  /** Whose time that is: the fault's own; that of its row in the log; or when it was heard of, as an end has no time of its own. */
  readonly timeOf: 'fault' | 'row' | 'hearing'
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
    timeOf: Number.isNaN(ownMs) ? 'hearing' : 'fault',
    state: state && { severity: state['severity'], lc: state['lc'], occur: state['occur'] },
    isSilent: state === undefined && wasOver,
    readBy: undefined,
    isReplaced: false,
  }
}

/** What stands for a row because it was read there: announced, or of before this feed began. */
export function heardOfRow({ atMs, change }: Transition, readBy: string | undefined): Heard {
  const heard = heardOf(change.dn, change.status === 'deleted' ? undefined : change.attributes, atMs)
  return { ...heard, timeOf: 'row', readBy }
}

/** Finds what may stand for a row: by its time, as there may be thousands. */
export interface Nearby {
  /** A step of that state at the very time of the row, or what is known to be that row. */
  exact(row: Transition): readonly Near<Heard>[]
  /** A step of that state at about that time. */
  near(row: Transition): readonly Near<Heard>[]
}

/** `rows`: all of them; what was told at the very time of one, but with another count, is no other one that fits. */
export function nearby(heard: readonly Heard[], rows: readonly Placed[]): Nearby {
  const sorted = heard.toSorted((a, b) => a.atMs - b.atMs)
  const states = sorted.filter(({ state }) => state !== undefined)
  const ends = sorted.filter(({ state, timeOf }) => state === undefined && timeOf === 'row')
  const within = (list: readonly Heard[], row: Transition, offMs: number): readonly Near<Heard>[] =>
    at(list, row, offMs).flatMap(one => {
      const off = isEnd(row) ? 0 : apartMs(row, one)
      return off === undefined ? [] : [{ heard: one, offMs: off }]
    })
  const mistold = new Set(
    rows.flatMap(({ row }) => (isEnd(row) ? [] : at(states, row, 0).filter(one => isMistold(one, row)))),
  )
  return {
    exact: row => within(isEnd(row) ? ends : states, row, 0),
    near: row => (isEnd(row) ? [] : within(states, row, SKEW_MS).filter(one => !mistold.has(one.heard))),
  }
}

function at(sorted: readonly Heard[], { atMs }: Transition, offMs: number): readonly Heard[] {
  return sorted.slice(firstFrom(sorted, atMs - offMs), firstFrom(sorted, atMs + offMs + 1))
}

/** A push in part was laid over a count from before steps that were lost. */
function isMistold({ state, timeOf }: Heard, { change: { attributes } }: Transition): boolean {
  return timeOf === 'fault' && !isSameState(state, attributes) && isSameState(state, { ...attributes, occur: '' })
}

/** The index of the first that is not before `ms`. */
export function firstFrom(sorted: readonly { readonly atMs: number }[], ms: number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if ((sorted[middle]?.atMs ?? ms) < ms) low = middle + 1
    else high = middle
  }
  return low
}

/** How far the row of a state is from what was heard; undefined where they are not one step. */
function apartMs(row: Transition, heard: Heard): number | undefined {
  const off = Math.abs(row.atMs - heard.atMs)
  // Where both have the fault's own time, that decides.
  const most = row.isOwn === true && heard.timeOf !== 'hearing' ? 0 : SKEW_MS
  return off <= most && isSameState(heard.state, row.change.attributes) ? off : undefined
}

/** True for a row without the fault's own time that has it all the same: it was heard of with that. */
export function isDatedAs(row: Transition, heard: Heard | undefined): boolean {
  return row.isOwn !== true && heard?.state !== undefined && heard.timeOf === 'fault' && heard.atMs === row.atMs
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

/** True for the row of an end. */
export function isEnd({ change }: Transition): boolean {
  return change.status === 'deleted'
}

function isOpen(row: Transition): boolean {
  return !isEnd(row) && !isOver(row.change.attributes)
}

/** True where what both say agrees: a row of the log leaves out what it does not carry. */
export function isSameState(heard: State | undefined, other: Readonly<Record<string, string | undefined>>): boolean {
  return heard !== undefined && STATE.every(name => (other[name] || heard[name]) === (heard[name] || other[name]))
}

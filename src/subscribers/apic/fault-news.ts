/**
 * Which transitions of a fault in its log are news: those after the last that was told, up to what a snapshot shows or a push
 * tells. Pure. The log's own clock may be off the fault's, and a row may come late: so a row is known by what it says, and
 * by its time only where that isn't enough.
 */
import type { Change } from './decode.ts'

/** What a transition is about: two versions that agree in these are one state. */
export const STATE = ['severity', 'lc', 'occur'] as const
/** The log's clock may be off the fault's own, and our idea of the fabric's clock a little off as well. */
export const SKEW_MS = 2000

type Attributes = Readonly<Record<string, string>>

/** One transition of one fault. */
export interface Transition {
  /** The fault's own time where the log has it, else the record's, ms. */
  readonly atMs: number
  readonly change: Change
  /** It is the fault's own, to the millisecond. */
  readonly isOwn?: boolean
  /** By it the fault was made: what there was of it before has ended. */
  readonly isBirth?: boolean
  /** When its record was written, ms. */
  readonly createdMs?: number
}

/** What has been told of a fault. */
export interface Known {
  readonly there: boolean
  /** Its last state; undefined when it was never seen. */
  readonly state: Attributes | undefined
  /** When the fabric told that it is gone, ms. */
  readonly endedMs: number | undefined
  /** When it was found missing, without a word of the fabric, ms. */
  readonly missingMs: number | undefined
}

/** Where the log's part ends and the snapshot's and the pushes' begins. */
export interface Border {
  /** The fault as the snapshot shows it. */
  readonly shown: Attributes | undefined
  /** The first push of it since the subscription was made: that one and what follows is told by pushes. */
  readonly pushed: Change | undefined
  /** When the snapshot was asked for, ms: nothing before it is pushed. */
  readonly askedMs: number
}

/**
 * `transitions` of one fault, in the order of the log. What led to the state shown is not among the news: the comparison
 * with the snapshot tells it whole. Unless it has to be told with an end before it, which no comparison shows.
 */
export function newsOf(known: Known, transitions: readonly Transition[], border: Border): Transition[] {
  let { there, state } = known
  /** The last of the news is a beginning before which no end was told. */
  let isUnended = false
  const news = upToSnapshot(transitions, border)
    .slice(pastMissing(known, transitions, lastTold(known, transitions) + 1))
    .filter(({ change, isBirth }) => {
      if (change.status === 'deleted') {
        const isNews = there
        there = false
        return isNews
      }
      // The end of a fault that is known to be gone is no news: it was found missing before the log showed it.
      const isSame = there && isBirth !== true && isSameState(given(change), state ?? {})
      if (state !== undefined && (there ? isSame : isOver(change.attributes))) return false
      isUnended = isBirth === true && there
      there = true
      state = { ...state, ...given(change) }
      return true
    })
  const last = news.at(-1)
  const isShown = border.shown !== undefined && last !== undefined && last.change.status !== 'deleted'
  return isShown && !isUnended && isSameState(given(last.change), border.shown) ? news.slice(0, -1) : news
}

/** What of a fault's log is not later than the last that was told. */
export interface Overtaken {
  /** What was worth telling of it, without that last one. */
  readonly steps: readonly Transition[]
  /** All of it, that last one as well. */
  readonly rows: readonly Transition[]
  /** That last one, where it was told as something else: its push was laid over what is known, and a step before it was lost. */
  readonly mistold: Transition | undefined
}

/** Those before the last that was told: all of them must have been told in their time, or have been overtaken. */
export function overtakenBy(known: Known, transitions: readonly Transition[]): Overtaken {
  const last = lastTold(known, transitions)
  const end = pastMissing(known, transitions, last + 1)
  const steps = transitions.filter(({ change }, index) => {
    if (index >= end || index === last) return false
    // The end of a fault that was over already is no news.
    if (change.status === 'deleted') return index < last && !isOver(transitions[index - 1]?.change.attributes ?? {})
    // Of a life that was told to be over, whichever of its last two rows it was that closed it.
    const next = transitions[index + 1]?.change
    return index < last || !isOver(change.attributes) || (next !== undefined && next.status !== 'deleted')
  })
  const row = transitions[last]
  const isMistold = known.there && row !== undefined && isOtherwise(row, known.state ?? {})
  return { steps, rows: transitions.slice(0, end), mistold: isMistold ? row : undefined }
}

/**
 * Without the rows that tell what the one before them told: a transition may be logged twice, and what else changes of a fault may be
 * logged as well. Those that have the fault's own time are known by it, also where others stand between them.
 */
export function withoutRepeats(transitions: readonly Transition[]): Transition[] {
  const own = new Set<string>()
  return transitions.filter((one, index) => {
    if (one.isOwn === true && one.change.status !== 'deleted') {
      const key = [one.atMs, ...STATE.map(name => one.change.attributes[name])].join(' ')
      if (own.has(key)) return false
      own.add(key)
    }
    const before = transitions[index - 1]
    if (before === undefined || one.change.status === 'deleted' || before.change.status === 'deleted') {
      return before === undefined || one.change.status !== before.change.status
    }
    const isMoved = one.isOwn === true && one.atMs !== before.atMs
    return isMoved || !isSameState(given(one.change), given(before.change))
  })
}

/**
 * The index of the first transition, from `from` on, that is not of a life which was told to be over, as the fault was found
 * missing before the log had shown how it ended: told now, its last steps would bring it back.
 */
function pastMissing({ state, missingMs }: Known, transitions: readonly Transition[], from: number): number {
  if (missingMs === undefined || state === undefined || isOver(state)) return from
  const end = transitions.findIndex(({ change }, at) => at >= from && change.status === 'deleted')
  if ((transitions[end]?.atMs ?? Number.POSITIVE_INFINITY) <= missingMs + SKEW_MS) return end + 1
  const next = transitions.findIndex(({ atMs }, at) => at >= from && atMs > missingMs)
  return next >= 0 ? next : transitions.length
}

/**
 * True when the log, read from `sinceMs` on, has the row that led to what is shown (nothing: it is gone); rows become visible
 * late, and without that one those before it may be missing, too. Also true where nothing has changed, or nobody can tell.
 */
export function isLogged(known: Known, transitions: readonly Transition[], border: Border, sinceMs: number): boolean {
  const { there, state } = known
  const { shown } = border
  const last = lastTold(known, transitions)
  const from = pastMissing(known, transitions, last + 1)
  const isUnended = upToSnapshot(transitions, border).some(({ isBirth }, index) => {
    const before = transitions[index - 1]?.change.status
    return isBirth === true && index >= from && (before === undefined ? there : before !== 'deleted')
  })
  if (isUnended) return false
  if (shown === undefined) {
    // Where the log shows it, but neither the snapshot nor what was told, its end is what the log lacks.
    const latest = upToSnapshot(transitions, border).slice(from).at(-1)?.change
    if (latest !== undefined) return latest.status === 'deleted' || isOver(latest.attributes)
    return !there || state === undefined || isOver(state)
  }
  const shownMs = timeOf(shown)
  if (!(shownMs >= sinceMs)) return true
  if (there && state !== undefined && timeOf(state) === shownMs && isSameState(shown, state)) return true
  // What was told last may have been told as something else: its row is there all the same.
  const told = transitions[last]
  if (told !== undefined && told.atMs === shownMs && isState(told.change, shown)) return true
  return nearest(beforePush(transitions, border).slice(from), shownMs, change => isState(change, shown)) >= 0
}

/** Without what the row leaves empty: the fault may have it, and its log does not carry it. */
export function given({ attributes }: Change): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ''))
}

/**
 * The snapshot was taken somewhere between question and answer, and from there on there are pushes. Of a fault that it shows,
 * its own time says where. One that it does not show was gone: the log up to an end is before it, unless it was pushed.
 */
export function upToSnapshot(transitions: readonly Transition[], border: Border): readonly Transition[] {
  const { shown, askedMs } = border
  const before = beforePush(transitions, border)
  if (shown !== undefined) {
    const shownMs = timeOf(shown)
    const at = nearest(before, shownMs, change => isState(change, shown))
    if (at >= 0) return before.slice(0, at + 1)
    return before.filter(({ atMs }) => atMs <= (Number.isNaN(shownMs) ? askedMs : shownMs))
  }
  const end = before.findLastIndex(({ change }) => change.status === 'deleted')
  return before.filter(({ atMs }, index) => index <= end || atMs <= askedMs)
}

/** Those before the first push since the subscription was made, unless the snapshot is later than that. */
function beforePush(transitions: readonly Transition[], { shown, pushed }: Border): readonly Transition[] {
  if (pushed === undefined) return transitions
  const pushedMs = timeOf(pushed.attributes)
  if (shown !== undefined && !(pushedMs > timeOf(shown))) return transitions
  const near = nearest(transitions, pushedMs, change => isState(change, pushed.attributes))
  // One whose life was over by then is an earlier one: the row of what was pushed does not show yet.
  const isEarlier = transitions.some(
    ({ atMs, change }, index) => index > near && change.status === 'deleted' && atMs < pushedMs,
  )
  const at = isEarlier ? -1 : near
  return at >= 0 ? transitions.slice(0, at) : transitions.filter(({ atMs }) => !(atMs >= pushedMs))
}

/** Where the last told transition stands in the log; -1 when all of it is later. */
function lastTold({ state, endedMs }: Known, transitions: readonly Transition[]): number {
  const seenMs = state === undefined ? Number.NaN : timeOf(state)
  const same = state === undefined ? -1 : rowOf(state, seenMs, transitions)
  if (endedMs === undefined) return same >= 0 ? same : transitions.findLastIndex(({ atMs }) => atMs <= seenMs)
  // The end of what was over already was not told: what came before it still can be.
  if (same >= 0 && isOver(state ?? {})) return transitions[same + 1]?.change.status === 'deleted' ? same + 1 : same
  // What stands between its last state and its end was not told, and is of that life: told now, it would bring it back.
  const isEnd = ({ atMs, change }: Transition, at: number): boolean =>
    change.status === 'deleted' && at > same && !(atMs < seenMs) && atMs <= endedMs + SKEW_MS
  const end = transitions.findIndex(isEnd)
  if (end >= 0) return end
  // The log is behind. The end was later than its last state, whatever the clock says by which the end was dated.
  const before = transitions.findLastIndex(({ atMs }) => atMs <= endedMs || atMs <= seenMs)
  return Math.max(same, before)
}

/**
 * The row of the step that led to this state. What was pushed of it may be laid over what lost steps had left: the row at the very time of
 * the step is that row all the same, and not another one nearby that fits.
 */
function rowOf(state: Attributes, seenMs: number, transitions: readonly Transition[]): number {
  const near = nearest(transitions, seenMs, change => isState(change, state))
  if (transitions[near]?.atMs === seenMs) return near
  const exact = transitions.findLastIndex(({ atMs, change }) => atMs === seenMs && change.status !== 'deleted')
  return exact >= 0 ? exact : near
}

/**
 * The transition that fits and is nearest to that time, not too far from it; -1 when there is none. A fault that flaps is in the
 * same state again within that: where the log has the fault's own time, only that fits.
 */
export function nearest(transitions: readonly Transition[], ms: number, fits: (change: Change) => boolean): number {
  let found = -1
  let best = SKEW_MS
  for (const [index, { atMs, change, isOwn }] of transitions.entries()) {
    const off = Math.abs(atMs - ms)
    if (!(off <= (isOwn === true ? 0 : best)) || (found >= 0 && off === best) || !fits(change)) continue
    found = index
    best = off
  }
  return found
}

function timeOf(attributes: Attributes): number {
  return Date.parse(attributes['lastTransition'] ?? '')
}

/** True for a row of the log that tells of this state, as far as both say. */
export function isState(change: Change, state: Attributes): boolean {
  return change.status !== 'deleted' && isSameState(given(change), state)
}

/** True for the row of the step that led to this state, which tells of another one. */
function isOtherwise({ atMs, change }: Transition, state: Attributes): boolean {
  return change.status !== 'deleted' && atMs === timeOf(state) && !isState(change, state)
}

/** True for a fault that is closed: its end tells nothing more. */
export function isOver(state: Attributes): boolean {
  return state['severity'] === 'cleared' || state['lc'] === 'retaining'
}

function isSameState(row: Attributes, state: Attributes): boolean {
  return STATE.every(name => (row[name] ?? state[name]) === (state[name] ?? row[name]))
}

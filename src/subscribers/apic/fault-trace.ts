/**
 * What was heard of a fault lately, as a short text that is kept with its object: so the next process knows which rows of the
 * fault log were told. `time,severity,lc,occur;` for a step, `time,!;` for an end (`!!`: of what was over already), `<time;`: of
 * that time and before not all is here. `=` before a time: it is that of a row that was announced; `~`: when a step without a time of its own
 * was heard of. Times in ms, base 36. Pure.
 */
import type { Heard } from './heard-steps.ts'

const END = '!'
const SILENT_END = '!!'
const OF_ROW = '='
const OF_HEARING = '~'

/** A trace as it is read. */
export interface Trace {
  /** All that was heard after it is here, ms; minus infinity: nothing was left out. */
  readonly fromMs: number
  /** In the order in which it was heard. */
  readonly steps: readonly Heard[]
}

/** The words for one step. */
export function traceOf({ atMs, timeOf, state, isSilent }: Heard): string {
  const mark = timeOf === 'row' ? OF_ROW : timeOf === 'hearing' && state !== undefined ? OF_HEARING : ''
  const time = mark + Math.trunc(atMs).toString(36)
  if (state === undefined) return `${time},${isSilent ? SILENT_END : END};`
  return `${time},${state.severity ?? ''},${state.lc ?? ''},${state.occur ?? ''};`
}

/** The words for what is left out. */
export function leftOut(untilMs: number): string {
  return `<${Math.trunc(untilMs).toString(36)};`
}

/** The words with one more step, of a fault that was in a state of `beforeMs`: that was told, if the words don't say so. */
export function traceWith(words: string | undefined, beforeMs: number, heard: Heard): string {
  const before = words ?? (Number.isNaN(beforeMs) ? '' : leftOut(beforeMs))
  return before + traceOf(heard)
}

/** What the words say. What can't be read is left out, and all before it. */
export function readTrace(dn: string, text: string): Trace {
  let fromMs = Number.NEGATIVE_INFINITY
  let steps: Heard[] = []
  for (const words of text.split(';')) {
    if (words === '') continue
    const [time = '', severity, lc, occur] = words.split(',')
    const mark = /^[<=~]?/.exec(time)?.[0] ?? ''
    const isLeftOut = mark === '<'
    const atMs = Number.parseInt(time.slice(mark.length), 36)
    if (Number.isNaN(atMs)) {
      fromMs = Number.POSITIVE_INFINITY
      steps = []
    } else if (isLeftOut) fromMs = Math.max(fromMs, atMs)
    else {
      const isEnd = severity === END || severity === SILENT_END
      const state = isEnd ? undefined : { severity: given(severity), lc: given(lc), occur: given(occur) }
      const isSilent = severity === SILENT_END
      const timeOf = mark === OF_ROW ? 'row' : mark === OF_HEARING || isEnd ? 'hearing' : 'fault'
      steps.push({ dn, atMs, timeOf, state, isSilent, readBy: undefined, isReplaced: false })
    }
  }
  return { fromMs, steps }
}

function given(word: string | undefined): string | undefined {
  return word === '' ? undefined : word
}

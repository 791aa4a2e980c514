/** Severities and times of the source, as the event form has them. */
import type { Severity } from '../../event.ts'

/** `squelched`, `inherit` and words that nobody knows are `info`; `cleared` is a state, not a severity. */
export function severityOf(word: string | undefined): Severity {
  return known(word) ?? 'info'
}

/** The first of these words that is a severity and not `cleared`. `squelched` is one: what it was told as last was info. */
export function lastSeverity(...words: readonly (string | undefined)[]): Severity {
  for (const word of words) {
    const severity = word === 'squelched' ? 'info' : known(word)
    if (severity !== undefined) return severity
  }
  return 'info'
}

/** 100 is perfect health. */
export function severityOfScore(score: number): Severity {
  if (score >= 90) return 'info'
  if (score >= 75) return 'warning'
  if (score >= 50) return 'minor'
  return score >= 25 ? 'major' : 'critical'
}

function known(word: string | undefined): Severity | undefined {
  switch (word) {
    case 'critical':
    case 'major':
    case 'minor':
    case 'warning':
    case 'info':
      return word
    default:
      return undefined
  }
}

const TIME =
  /^(\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?)(?:Z|([+-])((?:0\d|1[0-4])):?([0-5]\d)?)$/

const PLAIN_TIME =
  /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:Z|[+-](?:0\d|1[0-4]):[0-5]\d)$/

/**
 * A time of the fabric as RFC 3339, its offset kept. Undefined for `never`, for what is no time, and for a time without
 * an offset (old releases): nobody can tell when that was.
 */
export function sourceTime(text: string | undefined): string | undefined {
  if (text === undefined || text.length < 20) return undefined
  // As nearly all are spelt: nothing has to be taken apart.
  if (PLAIN_TIME.test(text)) return text
  const match = TIME.exec(text)
  if (match === null) return undefined
  if (match[2] === undefined || text.at(-3) === ':') return text
  return `${match[1]}${match[2]}${match[3]}:${match[4] ?? '00'}`
}

/** What a summary is made of: one line, in plain words, about what a source says. */
import type { PropertyChange } from './change-set.ts'

/** Longest summary, in characters. */
const LONGEST = 300

/** Blanks that come in a row or break the line; and what moves a cursor, or turns the writing of a terminal round. */
const ODD = /\s\s|[^\S ]|[\p{Cc}\u202a-\u202e\u2066-\u2069]/u
const ALL_ODD = /[\s\p{Cc}\u202a-\u202e\u2066-\u2069]+/gu

/** One line: blanks folded, no control characters, at most 300 characters. Long texts are cut first: folding all of one costs. */
export function oneLine(text: string): string {
  const head = text.length > 2 * LONGEST ? text.slice(0, 2 * LONGEST) : text
  const line = ODD.test(head) ? head.replace(ALL_ODD, ' ').trim() : head.trim()
  return line.length <= LONGEST && head === text ? line : `${cut(line, LONGEST - 1)}…`
}

/** At most so many characters, none of them halved. */
function cut(text: string, most: number): string {
  const last = text.charCodeAt(most - 1)
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? most - 1 : most)
}

/** The source's sentence without its full stop; at most so much that a place still fits behind it. */
export function sentence(text: string | undefined): string | undefined {
  // The text "null" occurs (reference d2).
  if (text === undefined || text === '' || text === 'null') return undefined
  let end = text.length
  // By hand: a pattern that is tied to the end alone would try every run of blanks.
  while (end > 0 && (text.charCodeAt(end - 1) <= 32 || text.charCodeAt(end - 1) === 46)) end--
  if (end === 0) return undefined
  return end > 220 ? `${cut(text, 219)}…` : text.slice(0, end)
}

/** The first few changes in words: `prio unspecified → level1, descr → x (2 more)`; '' for none. Times are left out. */
export function changesLine(changes: readonly PropertyChange[]): string {
  const telling = changes.filter(({ new: now }) => now === null || !/^\d{4}-\d\d-\d\dT/.test(now))
  // Only times: better than nothing.
  const told = telling.length === 0 ? [...changes] : telling
  if (told.length > MOST_TOLD) told.sort((a, b) => weightOf(a) - weightOf(b))
  const words = told.slice(0, MOST_TOLD).map(({ property, old, new: now }) => {
    const from = old === null || old === '' ? '' : `${old} `
    return `${property} ${from}→ ${now === null || now === '' ? '(empty)' : now}`
  })
  return words.join(', ') + (told.length > MOST_TOLD ? ` (${told.length - MOST_TOLD} more)` : '')
}

const MOST_TOLD = 3

/** What is said first: states; then what people set; then what only counts. */
function weightOf({ property, new: now }: PropertyChange): number {
  if (/(?:[a-z]St|state|severity)$/i.test(property)) return 0
  return now !== null && /^\d+$/.test(now) ? 2 : 1
}

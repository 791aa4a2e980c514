/**
 * `changeSet`, the text in which log records tell what changed. At least four spellings are in use (reference d2):
 * `k:v, k:v`, `k (Old: a, New: b)`, `k (New: v)`, and any of them with commas, colons or brackets inside the values.
 */

export interface PropertyChange {
  readonly property: string
  readonly old: string | null
  readonly new: string | null
}

/** Where in the text a property's values stand; `[0, 0]` for one that is not there. */
export interface Span {
  readonly property: string
  readonly old: readonly [from: number, to: number]
  readonly new: readonly [from: number, to: number]
}

const NOWHERE = [0, 0] as const

/**
 * The beginning of an entry. A colon with a blank after it is prose inside a value (`invalid-path: Interface …`), and
 * so is a name that no property can have.
 */
const ENTRY = /([A-Za-z_][A-Za-z0-9_]*)(?: \((Old|New): ?|:(?=\S|$))/y

/** What changed, as far as the text can be read; never throws. What can't be read is left out: the raw text is kept. */
export function parseChangeSet(text: string): PropertyChange[] {
  return spansOf(text).map(span => ({
    property: span.property,
    old: span.old === NOWHERE ? null : text.slice(...span.old),
    new: span.new === NOWHERE ? null : text.slice(...span.new),
  }))
}

/** The entries of a `changeSet` with the places of their values. */
export function spansOf(text: string): Span[] {
  const spans: Span[] = []
  let at = 0
  while (at < text.length) {
    ENTRY.lastIndex = at
    const match = ENTRY.exec(text)
    if (match === null) {
      at = nextEntry(text, at)
      continue
    }
    const property = match[1] ?? ''
    const from = ENTRY.lastIndex
    if (match[2] === undefined) {
      const end = nextBoundary(text, from)
      spans.push({ property, old: NOWHERE, new: [from, end] })
      at = nextEntry(text, end)
      continue
    }
    const close = closing(text, from)
    const middle = match[2] === 'Old' ? text.indexOf(', New:', from - 1) : -1
    if (match[2] === 'New') spans.push({ property, old: NOWHERE, new: [from, close] })
    else if (middle === -1 || middle > close) spans.push({ property, old: [from, close], new: NOWHERE })
    else {
      const value = middle + ', New:'.length
      spans.push({
        property,
        old: [from, Math.max(from, middle)],
        new: [Math.min(close, text[value] === ' ' ? value + 1 : value), close],
      })
    }
    at = nextEntry(text, close)
  }
  return spans
}

/** The start of the next entry at or after `at`; the text's end if there is none. */
function nextEntry(text: string, at: number): number {
  const comma = nextBoundary(text, at)
  return comma === text.length ? comma : comma + 2
}

/** The comma before the next entry; commas inside values are not followed by a blank and an entry. */
function nextBoundary(text: string, at: number): number {
  for (let comma = text.indexOf(', ', at); comma !== -1; comma = text.indexOf(', ', comma + 2)) {
    ENTRY.lastIndex = comma + 2
    if (ENTRY.test(text)) return comma
  }
  return text.length
}

/** The bracket that ends `(Old: …, New: …)`: one with an entry, or nothing, after it. Values may hold brackets. */
function closing(text: string, at: number): number {
  for (let bracket = text.indexOf(')', at); bracket !== -1; bracket = text.indexOf(')', bracket + 1)) {
    if (bracket === text.length - 1) return bracket
    if (text.startsWith(', ', bracket + 1)) {
      ENTRY.lastIndex = bracket + 3
      if (ENTRY.test(text)) return bracket
    }
  }
  return text.length
}

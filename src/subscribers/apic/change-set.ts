/**
 * `changeSet`, the text in which log records tell what changed. At least four spellings are in use (reference d2):
 * `k:v, k:v`, `k (Old: a, New: b)`, `k (New: v)`, and any of them with commas, colons or brackets inside the values.
 */

import { flatText } from '../../flat-text.ts'

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

/** What changed, as far as the text can be read; never throws. What can't be read is left out: the raw text is kept. */
export function parseChangeSet(text: string): PropertyChange[] {
  const changes: PropertyChange[] = []
  read(text, (property, oldFrom, oldTo, newFrom, newTo) => {
    changes.push({
      property,
      old: oldFrom === -1 ? null : text.slice(oldFrom, oldTo),
      new: newFrom === -1 ? null : text.slice(newFrom, newTo),
    })
  })
  return changes
}

/** The entries of a `changeSet` with the places of their values. */
export function spansOf(text: string): Span[] {
  const spans: Span[] = []
  read(text, (property, oldFrom, oldTo, newFrom, newTo) => {
    spans.push({
      property,
      old: oldFrom === -1 ? NOWHERE : [oldFrom, oldTo],
      new: newFrom === -1 ? NOWHERE : [newFrom, newTo],
    })
  })
  return spans
}

/** Told of each entry; -1 where a value is not there. By character: patterns took four times as long. */
function read(
  text: string,
  found: (property: string, oldFrom: number, oldTo: number, newFrom: number, newTo: number) => void,
): void {
  let at = 0
  let name = nameEnd(text, at)
  while (at < text.length) {
    if (name === -1) {
      at = nextBoundary(text, at) + SEPARATOR
      name = nextName
      continue
    }
    const property = nameOf(text, at, name)
    if (text.charCodeAt(name) === COLON) {
      const end = nextBoundary(text, name + 1)
      found(property, -1, -1, name + 1, end)
      at = end + SEPARATOR
      name = nextName
      continue
    }
    // Behind ` (Old:` or ` (New:`, and one blank.
    let from = name + ' (Old:'.length
    if (text.charCodeAt(from) === BLANK) from++
    const close = closing(text, from)
    const isOld = text.charCodeAt(name + 2) === CAPITAL_O
    const middle = isOld ? text.indexOf(', New:', from - 1) : -1
    if (!isOld) found(property, -1, -1, from, close)
    else if (middle === -1 || middle > close) found(property, from, close, -1, -1)
    else {
      const value = middle + ', New:'.length
      const start = text.charCodeAt(value) === BLANK ? value + 1 : value
      found(property, from, Math.max(from, middle), Math.min(close, start), close)
    }
    // The bracket closes before an entry, or before nothing.
    at = close + 1 + SEPARATOR
    name = nextName
  }
}

const BLANK = 32
const OPEN = 40
const COMMA = 44
const COLON = 58
const CAPITAL_N = 78
const CAPITAL_O = 79
/** `, ` */
const SEPARATOR = 2

/** Of the entry that `nextBoundary` or `closing` stopped before: where its name ends. It need not be looked for again. */
let nextName = -1
/** Of the name that was read last: a number by which to find it among those that were met before. */
let nameMark = 0

/** Names met lately: the same few come again for ever, and need not be cut out of the text each time. */
const names: (string | undefined)[] = new Array(1024).fill(undefined)

function nameOf(text: string, from: number, to: number): string {
  const place = nameMark & (names.length - 1)
  const known = names[place]
  if (known !== undefined && known.length === to - from && text.startsWith(known, from)) return known
  // In one piece: a slice would keep the whole text in memory.
  const name = flatText(text.slice(from, to))
  names[place] = name
  return name
}

/**
 * Where the name of the entry that begins at `at` ends: before ` (Old:`, ` (New:` or a colon. -1 when none begins there. A
 * colon with a blank after it is prose inside a value (`invalid-path: Interface …`), and so is a name that no property can have.
 */
function nameEnd(text: string, at: number): number {
  let end = at
  let mark = 0
  while (end < text.length) {
    const code = text.charCodeAt(end)
    if (!isOfName(code, end > at)) break
    mark = (Math.imul(mark, 31) + code) | 0
    end++
  }
  if (end === at || end === text.length) return -1
  nameMark = mark
  const sign = text.charCodeAt(end)
  if (sign === COLON) return end + 1 === text.length || !/\s/.test(text.charAt(end + 1)) ? end : -1
  if (sign !== BLANK || text.charCodeAt(end + 1) !== OPEN) return -1
  const first = text.charCodeAt(end + 2)
  if (first === CAPITAL_O) return text.startsWith('ld:', end + 3) ? end : -1
  return first === CAPITAL_N && text.startsWith('ew:', end + 3) ? end : -1
}

/** A letter or `_`, and behind the first one a digit. */
function isOfName(code: number, behindFirst: boolean): boolean {
  // Capital and small letters differ in one bit.
  const letter = code | 32
  return (letter >= 97 && letter <= 122) || code === 95 || (behindFirst && code >= 48 && code <= 57)
}

/** The comma before the next entry, or the text's end; commas inside values are not followed by a blank and an entry. */
function nextBoundary(text: string, at: number): number {
  for (let comma = text.indexOf(', ', at); comma !== -1; comma = text.indexOf(', ', comma + SEPARATOR)) {
    nextName = nameEnd(text, comma + SEPARATOR)
    if (nextName !== -1) return comma
  }
  return text.length
}

/** The bracket that ends `(Old: …, New: …)`: one with an entry, or nothing, after it. Values may hold brackets. */
function closing(text: string, at: number): number {
  for (let bracket = text.indexOf(')', at); bracket !== -1; bracket = text.indexOf(')', bracket + 1)) {
    if (bracket === text.length - 1) return bracket
    if (text.charCodeAt(bracket + 1) !== COMMA || text.charCodeAt(bracket + 2) !== BLANK) continue
    nextName = nameEnd(text, bracket + 1 + SEPARATOR)
    if (nextName !== -1) return bracket
  }
  return text.length
}

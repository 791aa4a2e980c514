/** The reader of `changeSet` goes by characters; here it is held against its grammar, spelt as a pattern. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseChangeSet, spansOf } from '../../src/subscribers/apic/change-set.ts'

/** The beginning of an entry: a name, then ` (Old:` or ` (New:`, or a colon with no blank behind it. */
const ENTRY = /([A-Za-z_][A-Za-z0-9_]*)(?: \((Old|New): ?|:(?=\S|$))/y

function beginsAt(text: string, at: number): RegExpExecArray | null {
  ENTRY.lastIndex = at
  return ENTRY.exec(text)
}

/** Every place where an entry begins that nothing before it has swallowed. */
function byPattern(text: string): [property: string, old: string | null, now: string | null][] {
  const boundary = (from: number): number => {
    for (let at = text.indexOf(', ', from); at !== -1; at = text.indexOf(', ', at + 2)) {
      if (beginsAt(text, at + 2) !== null) return at
    }
    return text.length
  }
  const bracket = (from: number): number => {
    for (let at = text.indexOf(')', from); at !== -1; at = text.indexOf(')', at + 1)) {
      if (at === text.length - 1) return at
      if (text.startsWith(', ', at + 1) && beginsAt(text, at + 3) !== null) return at
    }
    return text.length
  }
  const found: [string, string | null, string | null][] = []
  for (let at = 0; at < text.length; ) {
    const entry = beginsAt(text, at)
    let end = at
    if (entry !== null) {
      const [whole, property = '', sign] = entry
      const from = at + whole.length
      end = sign === undefined ? boundary(from) : bracket(from)
      const middle = sign === 'Old' ? text.indexOf(', New:', from - 1) : -1
      if (sign !== 'Old') found.push([property, null, text.slice(from, end)])
      else if (middle === -1 || middle > end) found.push([property, text.slice(from, end), null])
      else {
        const value = middle + ', New:'.length
        const start = Math.min(end, text[value] === ' ' ? value + 1 : value)
        found.push([property, text.slice(from, Math.max(from, middle)), text.slice(start, end)])
      }
    }
    const next = boundary(end)
    at = next === text.length ? next : next + 2
  }
  return found
}

/** Texts of what the grammar is made of, so that the odd corners come up. */
const texts = fc
  .array(
    fc.constantFrom(
      ...[', ', ',', ':', ' ', '(', ')', ' (Old: ', ' (Old:', ' (New: ', ', New: ', ', New:', 'a', 'B_1', '9', '_'],
      ...['operSt', 'ü', '\u00a0', '\t', '[eth1/1]', '"', '\\', '@', '`', '{', 'Ⓐ'],
    ),
    { maxLength: 24 },
  )
  .map(parts => parts.join(''))

describe('a changeSet, whatever its text', () => {
  it('is read as its grammar says', () => {
    fc.assert(
      fc.property(texts, text => {
        const read = parseChangeSet(text).map(change => [change.property, change.old, change.new])
        expect(read).toEqual(byPattern(text))
      }),
      { numRuns: 3000 },
    )
  })

  it('has its values where the spans say', () => {
    fc.assert(
      fc.property(texts, text => {
        const spans = spansOf(text)
        const changes = parseChangeSet(text)
        expect(spans.map(span => span.property)).toEqual(changes.map(change => change.property))
        for (const [index, span] of spans.entries()) {
          const change = changes[index]
          // Where a value is not there, the span is empty.
          expect(text.slice(...span.old)).toBe(change?.old ?? '')
          expect(text.slice(...span.new)).toBe(change?.new ?? '')
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('reads names right that are more than it remembers, and names that it has met', () => {
    for (const n of [...Array(12_000).keys(), 0, 1, 11_999]) {
      const text = `aPropertyOfItsOwn${n} (Old: a, New: b), operSt:up, aPropertyOfItsOwn${n + 1}:x`
      expect(parseChangeSet(text).map(({ property }) => property)).toEqual([
        ...[`aPropertyOfItsOwn${n}`, 'operSt', `aPropertyOfItsOwn${n + 1}`],
      ])
    }
  })
})

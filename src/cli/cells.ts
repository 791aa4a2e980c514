/** Text of a cell: safe to show, as wide as it looks, cut to its room. Pure. */
import { printable } from '../ops/text.ts'
import { UNPRINTABLE } from '../unprintable.ts'

/** No cell of a table is longer than this, wherever it goes; JSON has all of it. */
const LONGEST = 2000

/** Characters that take two places: East Asian ones and pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u
/** Characters that take none: what is set onto the one before. */
const MARK = /\p{M}/u
const PLAIN = /^[\u0020-\u007e]*$/

/** One line without anything that a terminal would act on. */
export function cellText(value: string): string {
  return printable(value, LONGEST)
}

/** One JSON text in one line, in which nothing is left that a terminal would act on; it means the same. */
export function jsonLine(value: unknown): string {
  const line = JSON.stringify(value)
  // Most lines are, and the long way costs ten times as much.
  if (PLAIN.test(line)) return line
  return line.replace(UNPRINTABLE, text =>
    [...Array(text.length).keys()].map(at => `\\u${text.charCodeAt(at).toString(16).padStart(4, '0')}`).join(''),
  )
}

/** Places that a text takes on a terminal. */
export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length
  let width = 0
  for (const character of text) width += WIDE.test(character) ? 2 : MARK.test(character) ? 0 : 1
  return width
}

/** The text in at most `width` places; `…` stands for what was cut off: the end, or the beginning where that tells less. */
export function fitted(text: string, width: number, from: 'end' | 'start' = 'end'): string {
  if (widthOf(text) <= width) return text
  const characters = [...text]
  if (from === 'start') characters.reverse()
  let kept = ''
  let used = 1
  for (const character of characters) {
    used += widthOf(character)
    if (used > width) break
    kept = from === 'start' ? character + kept : kept + character
  }
  return from === 'start' ? `…${kept}` : `${kept}…`
}

/** Filled up with blanks to `width` places. */
export function padded(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)))
}

/** Numbers and tables, as the documents show them. A figure that could not be taken (NaN, or null in JSON) is a dash. */
import type { Spread } from './figures.ts'

export type Cells = readonly (string | number)[]

export const whole = (value: number): string => fixed(value, 0)
export const fixed = (value: number, digits: number): string => (Number.isFinite(value) ? value.toFixed(digits) : '–')
export const mebi = (bytes: number): string => whole(bytes / 1024 / 1024)
export const range = ({ lowest, highest }: Spread): string => `${whole(lowest)}–${whole(highest)}`
export const ratio = ({ median, lowest, highest }: Spread): string =>
  `${fixed(median, 2)} (${fixed(lowest, 2)}–${fixed(highest, 2)})`

/** A table in Markdown: the first column to the left, the others to the right. */
export function table(head: Cells, rows: readonly Cells[]): string {
  const all = [head, ...rows].map(row => row.map(String))
  const widths = head.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, column) => `${'-'.repeat(width + 1)}${column === 0 ? '-' : ':'}`).join('|')}|`
  const [first = [], ...others] = all
  return [line(first), rule, ...others.map(line)].join('\n')
}

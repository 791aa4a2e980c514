/**
 * Rows as they come in: a table for people, JSON lines for scripts. A table's columns and their widths follow from the
 * first rows handed over; nothing is kept, so an answer may be of any length.
 */
import type { Writable } from 'node:stream'
import { nearest } from '../config/nearest.ts'
import { cellText, fitted, jsonLine, padded, widthOf } from './cells.ts'
import { type CliIo, type Paint, painter, UsageError } from './io.ts'

export interface Row {
  /** What `--json` prints of it, in one line. */
  readonly json: unknown
  /** Everything of it that a column can show, by name. */
  readonly cells: Readonly<Record<string, string>>
  /** How far it stands below another row. */
  readonly depth?: number
}

export interface RowsOptions {
  readonly json: boolean
  /** The columns asked for; undefined: `choose` says. */
  readonly columns: readonly string[] | undefined
  /** At most so many rows. */
  readonly limit: number
  /** The columns for these first rows. */
  readonly choose: (rows: readonly Row[]) => readonly string[]
}

/** The narrowest that a column is made. */
const NARROWEST = 8
const BETWEEN = '  '
/** Columns of names that begin alike: their ends tell more. */
const ENDS_TELL = new Set(['dn', 'affected', 'id', 'href'])

const STYLES: Readonly<Record<string, Parameters<Paint>[0]>> = {
  critical: 'red',
  major: 'red',
  minor: 'yellow',
  warning: 'yellow',
  cleared: 'green',
  FAILURE: 'red',
}

export class Rows {
  readonly #io: CliIo
  readonly #paint: Paint
  readonly #options: RowsOptions
  #columns: { readonly name: string; readonly width: number }[] | undefined
  #shown = 0
  #progress = ''

  constructor(io: CliIo, options: RowsOptions) {
    this.#io = io
    this.#paint = painter(io)
    this.#options = options
  }

  /** Rows printed so far. */
  get shown(): number {
    return this.#shown
  }

  /** How many more are wanted. */
  get room(): number {
    return this.#options.limit - this.#shown
  }

  /** Prints as many as are still wanted; resolves when the reader can take more, or has gone. */
  async print(rows: readonly Row[]): Promise<void> {
    const wanted = rows.slice(0, this.room)
    if (wanted.length === 0) return
    this.#shown += wanted.length
    const lines = this.#options.json ? wanted.map(row => jsonLine(row.json)) : this.#table(wanted)
    await this.say(lines)
  }

  /** Lines of text for stdout, between the rows or instead of them. */
  async say(lines: readonly string[]): Promise<void> {
    this.#wipe()
    const { stdout } = this.#io
    if (stdout.destroyed || stdout.write(lines.map(line => `${line}\n`).join(''))) return
    await roomIn(stdout)
  }

  /** A line on stderr that the next one takes the place of. Only on a terminal: a log has no use for it. */
  progress(text: string): void {
    if (this.#io.stderrIsTty !== true) return
    this.#progress = cellText(text)
    this.#io.stderr.write(`\r\x1b[K${fitted(this.#progress, this.#io.columns - 1)}`)
  }

  /** A remark on stderr. */
  note(text: string): void {
    this.#wipe()
    this.#io.stderr.write(`note: ${cellText(text)}\n`)
  }

  /** Takes the progress line away. */
  end(): void {
    this.#wipe()
  }

  /** The last line of a table: how much of how much. */
  async total(text: string): Promise<void> {
    if (this.#options.json) return
    await this.say([this.#paint('dim', text)])
  }

  #wipe(): void {
    if (this.#progress === '') return
    this.#progress = ''
    this.#io.stderr.write('\r\x1b[K')
  }

  #table(rows: readonly Row[]): string[] {
    const lines: string[] = []
    if (this.#columns === undefined) {
      this.#columns = this.#measured(rows, this.#names(rows))
      const head = this.#columns.map(({ name, width }) => padded(fitted(cellText(name), width), width))
      lines.push(this.#paint('bold', head.join(BETWEEN).trimEnd()))
    }
    const columns = this.#columns
    for (const row of rows) lines.push(this.#line(row, columns))
    return lines
  }

  #line(row: Row, columns: readonly { readonly name: string; readonly width: number }[]): string {
    const cells = columns.map(({ name, width }, index) => {
      const text = cellOf(row, name, index)
      // In a pipe nothing is cut: a later row may be wider than the first ones.
      const shown = this.#io.isTty ? fitted(text, width, ENDS_TELL.has(name) ? 'start' : 'end') : text
      const full = index === columns.length - 1 ? shown : padded(shown, width)
      const style = STYLES[text]
      return style === undefined ? full : this.#paint(style, full)
    })
    return cells.join(BETWEEN).trimEnd()
  }

  #names(rows: readonly Row[]): readonly string[] {
    const { columns, choose } = this.#options
    if (columns === undefined) return choose(rows)
    const known = [...new Set(rows.flatMap(row => Object.keys(row.cells)))]
    for (const column of columns) {
      if (known.includes(column)) continue
      const guess = nearest(column, known)
      const hint = guess === undefined ? `; there is ${known.toSorted().join(', ')}` : `; did you mean ${guess}?`
      throw new UsageError(`--columns: no "${column}" in these rows${hint}`, 'query')
    }
    return columns
  }

  /** Each as wide as its widest cell; on a terminal the widest give way until the line fits. */
  #measured(rows: readonly Row[], names: readonly string[]): { name: string; width: number }[] {
    const columns = names.map((name, index) => ({
      name,
      width: Math.max(widthOf(cellText(name)), ...rows.map(row => widthOf(cellOf(row, name, index)))),
    }))
    if (!this.#io.isTty) return columns
    let over = columns.reduce((sum, { width }) => sum + width + BETWEEN.length, -BETWEEN.length) - this.#io.columns
    while (over > 0) {
      const [widest, next] = columns.toSorted((a, b) => b.width - a.width)
      if (widest === undefined || widest.width <= NARROWEST) break
      const least = Math.max(NARROWEST, Math.min(next?.width ?? NARROWEST, widest.width - 1))
      const cut = Math.min(over, widest.width - least)
      widest.width -= cut
      over -= cut
    }
    return columns
  }
}

/** Resolves when more can be written, or nothing ever again. */
function roomIn(stdout: Writable): Promise<void> {
  return new Promise(resolve => {
    const events = ['drain', 'close', 'error']
    const done = (): void => {
      for (const event of events) stdout.off(event, done)
      resolve()
    }
    for (const event of events) stdout.on(event, done)
  })
}

function cellOf(row: Row, name: string, index: number): string {
  const text = cellText(Object.hasOwn(row.cells, name) ? (row.cells[name] ?? '') : '')
  return index === 0 ? '  '.repeat(row.depth ?? 0) + text : text
}

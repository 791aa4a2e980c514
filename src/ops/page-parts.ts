/** What the page is made of: times, states, lists of facts, tables. */
import { span } from './amounts.ts'
import { type Html, html, type Piece } from './page-html.ts'

/** How much a thing matters: all is well, look at it, it needs somebody, or nothing can be said yet. */
export type Level = 'ok' | 'watch' | 'bad' | 'quiet'

/** The daemon's time when the document was made: ages count from there. */
export class Times {
  readonly nowMs: number
  readonly #today: string

  constructor(now: string | null) {
    this.nowMs = Date.parse(now ?? '')
    this.#today = (now ?? '').slice(0, 10)
  }

  /** `12m 5s ago`, `in 3d 4h`. */
  age(iso: string): string {
    const seconds = (this.nowMs - Date.parse(iso)) / 1000
    return seconds < -0.5 ? `in ${span(-seconds)}` : `${span(Math.max(0, seconds))} ago`
  }

  /** Of what has happened: age and time; the day too when it is not today. */
  when(iso: string | null, otherwise = 'never'): Html {
    if (iso === null) return html`<span class="dim">${otherwise}</span>`
    return this.#isAhead(iso) ? this.#ahead(iso) : this.#time(iso, this.age(iso))
  }

  /** Of what is to come, or has come by now. */
  due(iso: string): Html {
    return this.#time(iso, this.age(iso))
  }

  /** Since when: the age alone, then the time. */
  since(iso: string | null): Html {
    if (iso === null) return html``
    if (this.#isAhead(iso)) return this.#ahead(iso, 'since ')
    return this.#time(iso, `for ${span(Math.max(0, -this.secondsUntil(iso)))}`, 'since ')
  }

  /** What has happened can't lie ahead: the clock was set back since then. */
  #isAhead(iso: string): boolean {
    return this.secondsUntil(iso) > 0.5
  }

  /** No age would be true. */
  #ahead(iso: string, before = ''): Html {
    return html`<time datetime="${iso}">${this.#stamp(iso, before)} <span class="dim">(clock set back since)</span></time>`
  }

  #time(iso: string, age: string, before = ''): Html {
    return html`<time datetime="${iso}"><span class="nowrap">${age}</span> ${this.#stamp(iso, before)}</time>`
  }

  /** One with a day may be too long for one line: it breaks between day and time. */
  #stamp(iso: string, before = ''): Html {
    const [day = '', time] = this.clock(iso).split(' ')
    const first = html`<span class="nowrap">${before}${day}</span>`
    return html`<span class="dim">${first}${time !== undefined && html` <span class="nowrap">${time}</span>`}</span>`
  }

  /** UTC. */
  clock(iso: string): string {
    const day = iso.slice(0, 10)
    return `${day === this.#today ? '' : `${day} `}${iso.slice(11, 19)}Z`
  }

  secondsUntil(iso: string): number {
    return (Date.parse(iso) - this.nowMs) / 1000
  }
}

/** Drawn, not written: no font has to know them. */
const SHAPES: Readonly<Record<Level, Html>> = {
  ok: html`<circle cx="8" cy="8" r="7.5"/><path d="M4.3 8.3l2.5 2.5 4.9-5.3"/>`,
  watch: html`<path class="body" d="M8 .8 15.6 15H.4z"/><path d="M8 5.6v4.6M8 12.2v1.2"/>`,
  bad: html`<rect x=".5" y=".5" width="15" height="15" rx="2"/><path d="M4.8 4.8l6.4 6.4M11.2 4.8l-6.4 6.4"/>`,
  quiet: html`<circle class="hollow" cx="8" cy="8" r="6"/>`,
}

/** A sign that says by its shape what its colour says; the word beside it says it too. */
export function sign(level: Level): Html {
  return html`<svg class="sign ${level}" aria-hidden="true" viewBox="0 0 16 16" width="16" height="16">${SHAPES[level]}</svg>`
}

export function state(level: Level, word: string): Html {
  return html`<span class="state ${level}">${sign(level)} ${word}</span>`
}

/** `wide`: it may be a long text, and gets a line of its own. */
export type NamedFact = readonly [name: string, value: Piece, wide?: 'wide']

/** Named facts. One without a value is left out. */
export function facts(rows: readonly NamedFact[]): Html {
  const given = rows.filter(([, value]) => !isNothing(value))
  return html`<dl class="facts">${given.map(
    ([name, value, wide]) => html`<div class="${wide}"><dt>${name}</dt><dd>${value}</dd></div>`,
  )}</dl>`
}

export interface Column<Row> {
  readonly head: string
  readonly kind?: 'number' | 'text'
  cell(row: Row): Piece
}

export interface TableOptions<Row> {
  /** Told to those who don't see it. */
  readonly label: string
  readonly columns: readonly Column<Row>[]
  readonly rows: readonly Row[]
  /** Tells one row from another when the page refreshes itself. */
  readonly key?: (row: Row) => string
  /** Of a row that must be seen. */
  readonly level?: (row: Row) => Level
}

/**
 * A table; on a narrow screen each row is a block, and each cell has its heading before it. The roles are said since
 * browsers forget them for what is not laid out as a table. A column without anything in it is left out.
 */
export function table<Row>({ label, columns, rows, key, level }: TableOptions<Row>): Html {
  const cells = rows.map(row => columns.map(column => column.cell(row)))
  const used = columns.map((_, at) => cells.some(row => !isNothing(row[at])))
  const heads = columns.map(
    ({ head, kind }, at) =>
      used[at] && html`<th role="columnheader" scope="col" class="${kind ?? 'text'}">${head}</th>`,
  )
  const body = rows.map((row, index) => {
    const mark = level?.(row)
    return html`<tr role="row" data-key="${key?.(row)}" class="${mark}">${columns.map(({ head, kind }, at) => {
      if (used[at] !== true) return null
      const content = cells[index]?.[at]
      const classes = `${kind ?? 'text'}${isNothing(content) ? ' empty' : ''}`
      // The first cell names the row.
      return at === 0
        ? html`<th role="rowheader" scope="row" class="${classes}">${content}</th>`
        : html`<td role="cell" class="${classes}" data-head="${head}"><div>${content}</div></td>`
    })}</tr>`
  })
  return html`<table role="table" aria-label="${label}"><thead role="rowgroup"><tr role="row">${heads}</tr></thead><tbody role="rowgroup">${body}</tbody></table>`
}

/** A part of the page that is folded away. `open`: as the daemon would have it; what a reader did since then stays. */
export function fold(options: {
  id?: string
  key?: string
  className: string
  open: boolean
  summary: Piece
  body: Piece
}): Html {
  const { id, key, className, open, summary, body } = options
  const name = id === undefined ? html`data-key="${key}"` : html`id="${id}"`
  return html`<details ${name} class="${className}" data-wanted="${open ? 'open' : 'closed'}"${open && html` open`}><summary>${summary}</summary>${body}</details>`
}

function isNothing(piece: Piece): boolean {
  return (
    piece === null ||
    piece === undefined ||
    piece === false ||
    piece === '' ||
    (Array.isArray(piece) && piece.every(isNothing))
  )
}

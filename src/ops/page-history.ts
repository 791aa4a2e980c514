/** What happened lately, the newest first: gaps, dead letters, changes of state. */
import { counted, formatBytes } from './amounts.ts'
import { type Html, html, type Piece } from './page-html.ts'
import { type Column, fold, type Times, table } from './page-parts.ts'
import type { DeadLetterStatus, GapStatus, StatusDocument, TransitionStatus } from './status.ts'

/** Rows that stand open. */
const OPEN = 8

function short(words: Piece): Html {
  return html`<span class="short">${words}</span>`
}

interface Happened {
  readonly at: string | null
}

export function historySections(status: StatusDocument, times: Times): Html {
  const { gaps, deadLetters, transitions } = status
  const when = <T extends Happened>(): Column<T> => ({ head: 'When', cell: row => times.when(row.at) })
  const text = <T>(head: string, cell: (row: T) => Piece): Column<T> => ({ head, cell })
  return html`${section<GapStatus>('gaps', 'Gaps', 'None since the start: every hole so far was closed whole.', gaps, [
    when(),
    text('Source', gap => short(gap.source)),
    text('Feed', gap => html`<span class="name">${gap.feed}</span>`),
    text('Reason', gap => short(html`<code>${gap.reason}</code>`)),
    text('What', gap => gap.summary),
  ])}${section<DeadLetterStatus>('dead-letters', 'Dead letters', 'None since the start.', deadLetters, [
    when(),
    text('Source', letter => short(letter.source)),
    text('Key', letter => html`<code>${letter.key}</code>`),
    { head: 'Size', kind: 'number', cell: letter => formatBytes(letter.bytes) },
    text('Reason', letter => letter.reason),
  ])}${section<TransitionStatus>('transitions', 'Changes of state', 'None yet.', transitions, [
    when(),
    text('What', one => short([one.what, one.source !== null && ` ${one.source}`])),
    text('Feed', one => one.feed !== null && html`<span class="name">${one.feed}</span>`),
    text('Change', one => [
      html`<span class="name">${one.to}</span>`,
      one.from !== null && html` <span class="dim">(was <span class="name">${one.from}</span>)</span>`,
    ]),
    text('Why', one => one.why),
  ])}`
}

function section<T extends Happened>(
  id: string,
  heading: string,
  none: string,
  oldestFirst: readonly T[],
  columns: readonly Column<T>[],
): Html {
  const rows = oldestFirst.toReversed()
  const shown = (part: readonly T[], label: string): Html => table({ label, rows: part, columns })
  const open = rows.length <= OPEN + 1 ? rows : rows.slice(0, OPEN)
  const folded = rows.slice(open.length)
  return html`<section id="${id}"><h2>${heading}</h2>${
    rows.length === 0 ? html`<p class="dim">${none}</p>` : shown(open, heading)
  }${
    folded.length > 0 &&
    fold({
      key: 'more',
      className: 'more',
      open: false,
      summary: `${counted(folded.length, 'earlier one')}`,
      body: shown(folded, `${heading}, earlier`),
    })
  }</section>`
}

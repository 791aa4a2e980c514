/** The feeds of one source on the page: the worst first, the many that are well folded away. */
import { counted, formatCount, span } from './amounts.ts'
import { type Html, html, type Piece } from './page-html.ts'
import { type Column, facts, fold, type Level, state, type Times, table } from './page-parts.ts'
import type { ErrorStatus, FeedStatus, SourceStatus } from './status.ts'
import { type Ranked, worstFirst } from './worst-first.ts'

/** Feeds that stand open; of those that are unwell more. */
const OPEN = 8
const OPEN_UNWELL = 40
/** Feeds on the whole page: `/status` has all. */
const MOST = 400
/** However many sources share that: so many of each. */
const LEAST = 10

const LEVELS: readonly Level[] = ['bad', 'watch', 'ok']

/** How many feeds of one source are shown: what sources with few of them leave over goes to those with many. */
export function feedsEach(sources: readonly SourceStatus[]): number {
  const counts = sources.map(source => source.feeds.length).sort((a, b) => a - b)
  let left = MOST
  for (const [index, count] of counts.entries()) {
    const fair = Math.floor(left / (counts.length - index))
    if (count > fair) return Math.max(LEAST, fair)
    left -= count
  }
  return MOST
}

/** `most`: no more of them are shown. */
export function feedsOf(source: SourceStatus, most: number, times: Times): Html {
  if (source.feeds.length === 0) return html`<p class="dim">No feed has been declared yet.</p>`
  const ranked = worstFirst(source.feeds)
  const unwell = ranked.filter(({ rank }) => rank === 0).length
  const first = Math.min(OPEN_UNWELL, most, Math.max(OPEN, unwell))
  // One row more is no longer than the line that says that one is folded away.
  const open = ranked.length <= first + 1 ? ranked : ranked.slice(0, first)
  const folded = ranked.slice(open.length, Math.max(open.length, most))
  const left = ranked.slice(open.length + folded.length)
  const told = [...source.doubts, source.lastError?.text ?? '']
  const label = `Feeds of ${source.name}`
  return html`${feedTable(open, label, told, times)}${
    folded.length > 0 &&
    fold({
      key: 'more',
      className: 'more',
      open: false,
      summary: `${counted(folded.length, 'more feed')}: ${sumOf(folded)}`,
      body: feedTable(folded, `More feeds of ${source.name}`, told, times),
    })
  }${left.length > 0 && html`<p class="dim">And ${formatCount(left.length)} more feeds: ${sumOf(left)}. The JSON document at status lists every feed.</p>`}`
}

/** `1 lost, 1 deaf, 140 live`. */
export function sumOf(feeds: readonly Ranked[]): string {
  const counts = new Map<string, number>()
  for (const { feed } of feeds) counts.set(wordOf(feed), (counts.get(wordOf(feed)) ?? 0) + 1)
  return [...counts].map(([word, count]) => `${formatCount(count)} ${word}`).join(', ')
}

/** A live feed whose last proof of life is too old is deaf. */
function wordOf(feed: FeedStatus): string {
  return feed.deaf && feed.state === 'live' ? 'deaf' : feed.state
}

function feedTable(rows: readonly Ranked[], label: string, told: readonly string[], times: Times): Html {
  return table({
    label,
    rows,
    columns: columns(told, times),
    key: ({ feed }) => feed.name,
    level: ({ rank }) => LEVELS[rank] ?? 'ok',
  })
}

function columns(told: readonly string[], times: Times): Column<Ranked>[] {
  const column = (head: string, kind: 'number' | 'text', cell: (feed: FeedStatus, rank: Ranked['rank']) => Piece) => ({
    head,
    kind,
    cell: (row: Ranked) => cell(row.feed, row.rank),
  })
  return [
    column('Feed', 'text', feed => [html`<span class="name">${feed.name}</span>`, cursorOf(feed)]),
    column('State', 'text', (feed, rank) => [
      state(
        LEVELS[rank] ?? 'ok',
        feed.mode === null || feed.state !== 'live' ? wordOf(feed) : `${wordOf(feed)} (${feed.mode})`,
      ),
      html` <span class="below">${times.since(feed.since)}</span>`,
    ]),
    column('Last proof of life', 'text', feed => [
      times.when(feed.lastProof, 'none yet'),
      html` <span class="below dim">bound ${span(feed.boundSeconds)}</span>`,
    ]),
    column('Lease left', 'number', feed => feed.leaseSeconds !== null && span(feed.leaseSeconds)),
    column('Last event', 'text', feed => times.when(feed.lastEvent)),
    column('Events', 'number', feed => formatCount(feed.events)),
    column('Late by', 'number', feed => feed.lateSeconds !== null && lateness(feed.lateSeconds)),
    column('Recovered', 'number', feed => feed.recovered > 0 && formatCount(feed.recovered)),
    column('Lost, remade', 'number', feed => feed.lost > 0 && `${feed.lost}×, ${feed.remade}×`),
    column('Last error', 'text', feed => feed.lastError !== null && errorOf(feed.lastError, told, times)),
  ]
}

/** `told`: what stands above it. Words that are there are not said again. */
export function errorOf({ code, text, at }: ErrorStatus, told: readonly string[], times: Times): Html {
  const again = told.some(words => words.includes(text))
  return html`<code>${code}</code>${!again && `: ${text}`} <span class="below">${times.when(at)}</span>`
}

function lateness(seconds: number): string {
  return seconds < 10 ? `${Math.round(Math.max(0, seconds) * 10) / 10}s` : span(seconds)
}

/** The words of a cursor are the feed's own; what is plainly a time is shown as one, too. */
function cursorOf({ cursor }: FeedStatus): Piece {
  if (cursor === null) return null
  const rows = Object.entries(cursor).map(([key, value]) => [key, html`<code>${shownValue(value)}</code>`] as const)
  return fold({ key: 'cursor', className: 'cursor', open: false, summary: 'cursor', body: facts(rows) })
}

const FROM_MS = Date.UTC(2000)
const UNTIL_MS = Date.UTC(2100)

function shownValue(value: string | number | boolean | null): string {
  if (typeof value !== 'number') return String(value)
  for (const ms of [value, value / 1000]) {
    if (ms >= FROM_MS && ms < UNTIL_MS) return new Date(ms).toISOString()
  }
  return String(value)
}

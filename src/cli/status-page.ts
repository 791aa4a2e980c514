/** The status document as lines of text. Pure: ages are told by the daemon's own clock, taken from the document. */
import { formatBytes, span } from '../ops/amounts.ts'
import { type FeedStatus, type SourceStatus, type StatusDocument, stateWord } from '../ops/status.ts'
import { printable } from '../ops/text.ts'
import { worstFirst } from '../ops/worst-first.ts'
import type { Paint } from './io.ts'

/** Gaps told on the page; `--json` has more, and the changes of state. */
const LATEST = 5

/** Feeds of a source that a pipe gets. */
const FEEDS_IN_A_PIPE = 40
/** On a small terminal a page that scrolls is better than one that says nothing. */
const LEAST_FEEDS = 5
/** Sentences of doubt about one source. */
const DOUBTS = 5
const NOT_VERIFIED =
  'the certificate is NOT verified (tls.verify: false), anyone on the way can read the password: set tls.ca_file or tls.fingerprint_sha256'
const NOT_ENCRYPTED = 'the connection is NOT encrypted, anyone on the way can read the password: use https:'

/** How long ago, by the daemon's clock. */
type Ago = (time: string | null) => string

/** One line that fits; its indentation apart, since text from elsewhere is trimmed. */
type Cut = (text: string, indent?: string) => string

/** What the page is made for. */
export interface PageSize {
  readonly columns: number
  /** Without a terminal's height a source shows `FEEDS_IN_A_PIPE` feeds. */
  readonly rows?: number
}

/** The page for one look. Lines are cut to the width, never wrapped; of many feeds the unwell ones come first. */
export function statusPage(status: StatusDocument, { columns, rows }: PageSize, paint: Paint): string {
  const now = Date.parse(status.started ?? '') + status.uptimeSeconds * 1000
  const ago = (time: string | null): string =>
    time === null ? 'never' : `${span((now - Date.parse(time)) / 1000)} ago`
  const cut: Cut = (text, indent = '') => {
    const line = `${indent}${printable(text, 2_000)}`
    return line.length > columns ? `${line.slice(0, columns - 1)}…` : line
  }
  const head = `opswire ${status.version}, ${stateWord(status)}, up ${span(status.uptimeSeconds)}`
  const top = [paint('bold', cut(status.config === null ? head : `${head}, config ${status.config.path}`)), '']
  if (status.notReady.length > 0) top.push(paint('red', cut(`NOT ready: ${status.notReady.join(', ')}`)), '')
  if (status.reload?.ok === false) {
    const [first, ...more] = status.reload.problems
    const rest = more.length === 0 ? '' : ` (and ${more.length} more)`
    top.push(
      paint('red', cut(`the reload ${ago(status.reload.at)} was refused, nothing was changed: ${first}${rest}`)),
      '',
    )
  }
  top.push(...sourceTable(status.sources, ago, cut, paint))
  const sections = status.sources.map(source => sourceLines(source, ago, cut, paint))
  const bottom = ['', ...sinkLines(status, ago, cut, paint), ...latestGaps(status, ago, cut, paint)]
  // A blank line ahead of each section, one line for the feeds that are left out, and the prompt below.
  const taken = top.length + sections.reduce((sum, lines) => sum + lines.length + 2, 0) + bottom.length + 1
  const room = rows === undefined ? undefined : Math.floor((rows - taken) / Math.max(1, sections.length))
  const most = room === undefined ? FEEDS_IN_A_PIPE : Math.max(LEAST_FEEDS, room)
  const middle = status.sources.flatMap((source, index) => [
    '',
    ...(sections[index] ?? []),
    ...feedLines(source.feeds, most, ago, cut, paint),
  ])
  return `${[...top, ...middle, ...bottom].join('\n')}\n`
}

/** What is said of a source beside its feeds. */
function sourceLines(source: SourceStatus, ago: Ago, cut: Cut, paint: Paint): string[] {
  const { name, address, session, doubts, lastError } = source
  const next =
    session === null || session.handOverSeconds === null
      ? ''
      : session.handOverSeconds < 0
        ? `, its successor ${span(-session.handOverSeconds)} overdue`
        : `, handed over in ${span(session.handOverSeconds)}`
  const age = session === null ? 'no session' : `session ${span(session.ageSeconds)} old${next}`
  const lines = [paint('bold', cut(`${name}  ${address}  ${age}`))]
  if (!source.tlsVerified) {
    lines.push(paint('red', cut(address.startsWith('http:') ? NOT_ENCRYPTED : NOT_VERIFIED, '  ')))
  }
  for (const doubt of doubts.slice(0, DOUBTS)) lines.push(paint('red', cut(doubt, '  ')))
  if (doubts.length > DOUBTS) lines.push(paint('red', cut(`and ${doubts.length - DOUBTS} more lines of doubt`, '  ')))
  if (source.pausedSince !== null) {
    const text = `its socket is held back (since ${ago(source.pausedSince)}): more is pushed than can be stored`
    lines.push(paint('red', cut(text, '  ')))
  }
  if (lastError !== null) {
    const text = `last error ${ago(lastError.at)}: ${lastError.code}, ${lastError.text}`
    lines.push(paint(source.up ? 'dim' : 'red', cut(text, '  ')))
  }
  return lines
}

function sourceTable(sources: readonly SourceStatus[], ago: Ago, cut: Cut, paint: Paint): string[] {
  if (sources.length === 0) return ['no sources']
  const rows = [
    ['source', 'system', 'state', 'last event', 'last proof', 'leases', 'reconnects', 'gaps', 'dead letters'],
    ...sources.map(source => [
      source.name,
      source.system,
      source.state,
      ago(source.lastEvent),
      ago(source.lastProof),
      Object.entries(source.leases)
        .map(([lease, seconds]) => `${lease} ${span(seconds)}`)
        .join(', ') || '-',
      String(source.reconnects),
      String(source.gaps),
      source.deadLettersDropped === 0
        ? `${source.deadLetters}`
        : `${source.deadLetters} (${source.deadLettersDropped} dropped)`,
    ]),
  ]
  const widths = columnWidths(rows)
  return rows.map((row, index) => {
    const text = cut(row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  ')).trimEnd()
    if (index === 0) return paint('dim', text)
    return sources[index - 1]?.up === true ? text : paint('red', text)
  })
}

/** At most `most` feeds, unwell ones first, then those not live yet; the rest is counted. */
function feedLines(feeds: readonly FeedStatus[], most: number, ago: Ago, cut: Cut, paint: Paint): string[] {
  const ranked = worstFirst(feeds)
  // One line more is no longer than the line that says that one is left out.
  const shown = ranked.length <= most + 1 ? ranked : ranked.slice(0, most)
  const rows = shown.map(({ feed }) => feedRow(feed, ago))
  const widths = columnWidths(rows)
  const lines = rows.map((row, index) => {
    const cells = row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).filter((_, at) => widths[at] !== 0)
    const text = cut(cells.join('  '), '  ')
    return shown[index]?.rank === 0 ? paint('red', text) : text
  })
  const left = ranked.slice(shown.length)
  if (left.length === 0) return lines
  const counts = new Map<string, number>()
  for (const { feed, rank } of left) {
    const word = rank === 0 && feed.state === 'live' ? 'deaf' : feed.state
    counts.set(word, (counts.get(word) ?? 0) + 1)
  }
  const sum = [...counts].map(([word, count]) => `${count} ${word}`).join(', ')
  return [...lines, paint(left[0]?.rank === 0 ? 'red' : 'dim', cut(`and ${left.length} more feeds: ${sum}`, '  '))]
}

function feedRow(feed: FeedStatus, ago: Ago): string[] {
  const proof = feed.lastProof === null ? 'no proof of life yet' : `proof ${ago(feed.lastProof)}`
  const { lastError, lost, remade } = feed
  const state = feed.mode === null || feed.state !== 'live' ? feed.state : `${feed.state} (${feed.mode})`
  const times = lost === 0 ? '' : `lost ${lost}×, remade ${remade}×`
  const error = lastError === null ? '' : `last error ${ago(lastError.at)}: ${lastError.code}, ${lastError.text}`
  return [
    feed.name,
    feed.deaf && feed.state === 'live' ? 'live, deaf' : state,
    `${proof} (bound ${span(feed.boundSeconds)})`,
    feed.leaseSeconds === null ? '' : `lease ${span(feed.leaseSeconds)}`,
    `${feed.events} events, last ${ago(feed.lastEvent)}`,
    feed.recovered === 0 ? '' : `${feed.recovered} recovered`,
    times,
    error,
  ]
}

function sinkLines(status: StatusDocument, ago: Ago, cut: Cut, paint: Paint): string[] {
  const { sink, store, counts } = status
  const lines: string[] = []
  if (store !== null) {
    const waiting = store.oldest === null ? '' : `, the oldest from ${ago(store.oldest)}`
    const dead = store.deadLetters === 0 ? '' : `; ${store.deadLetters} dead letters`
    const detail = store.detail === '' ? '' : ` (${store.detail})`
    const text = `store  ${store.state}${detail}: ${store.events} events wait${waiting}; ${formatBytes(store.bytes)} of ${formatBytes(store.maxBytes)}${dead}`
    lines.push(store.state === 'full' || store.state === 'failing' ? paint('red', cut(text)) : cut(text))
  }
  if (sink !== null) {
    const text = `sink   ${sink.name} ${sink.up ? 'up' : 'down'} since ${ago(sink.since)}${sink.detail === '' ? '' : ` (${sink.detail})`}`
    lines.push(sink.up ? cut(text) : paint('red', cut(text)))
  }
  const { appended, published, publishedDuplicates, tooLarge } = counts
  const large = tooLarge === 0 ? '' : `, ${tooLarge} too large`
  lines.push(
    cut(`events ${appended} taken down, ${published} delivered, ${publishedDuplicates} known there already${large}`),
  )
  return lines
}

function latestGaps(status: StatusDocument, ago: Ago, cut: Cut, paint: Paint): string[] {
  if (status.gaps.length === 0) return []
  const rows = status.gaps.slice(-LATEST).map(gap => cut(`${ago(gap.at)}  ${gap.source}  ${gap.summary}`, '  '))
  return ['', paint('yellow', 'latest gaps'), ...rows]
}

function columnWidths(rows: readonly (readonly string[])[]): number[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  }
  return widths
}

/** The status document as lines of text. Pure: ages are told by the daemon's own clock, taken from the document. */
import { formatSize } from '../config/units.ts'
import type { FeedStatus, SourceStatus, StatusDocument } from '../ops/status.ts'
import { printable } from '../ops/text.ts'
import type { Paint } from './io.ts'

/** Gaps and transitions told on the page; `--json` has all. */
const LATEST = 5

/** One line that fits; its indentation apart, since text from elsewhere is trimmed. */
type Cut = (text: string, indent?: string) => string

/** The page for one look. Lines are cut to `columns`, never wrapped. */
export function statusPage(status: StatusDocument, columns: number, paint: Paint): string {
  const now = Date.parse(status.started ?? '') + status.uptimeSeconds * 1000
  const age = (time: string | null): string => (time === null ? 'never' : span((now - Date.parse(time)) / 1000))
  const ago = (time: string | null): string => (time === null ? 'never' : `${age(time)} ago`)
  const cut: Cut = (text, indent = '') => {
    const line = `${indent}${printable(text, 2_000)}`
    return line.length > columns ? `${line.slice(0, columns - 1)}…` : line
  }
  const head = `opswire ${status.version}, ${status.state}, up ${span(status.uptimeSeconds)}`
  const lines = [paint('bold', cut(status.config === null ? head : `${head}, config ${status.config.path}`)), '']
  lines.push(...sourceTable(status.sources, ago, cut, paint))
  for (const source of status.sources) {
    lines.push(
      '',
      paint('bold', cut(`${source.name}  ${source.address}${source.tlsVerified ? '' : '  (not verified)'}`)),
    )
    for (const doubt of source.doubts) lines.push(paint('red', cut(doubt, '  ')))
    if (source.lastError !== null && !source.up) {
      const { at, code, text } = source.lastError
      lines.push(paint('red', cut(`${code}, ${ago(at)}: ${text}`, '  ')))
    }
    const feeds = source.feeds.map(feed => feedRow(feed, age, ago))
    const widths = columnWidths(feeds)
    feeds.forEach((row, index) => {
      const deaf = source.feeds[index]?.deaf === true
      const text = cut(row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join('  '), '  ')
      lines.push(deaf ? paint('red', text) : text)
    })
  }
  lines.push('', ...sinkLines(status, ago, cut, paint), ...latestGaps(status, ago, cut, paint))
  return `${lines.join('\n')}\n`
}

function sourceTable(
  sources: readonly SourceStatus[],
  ago: (time: string | null) => string,
  cut: Cut,
  paint: Paint,
): string[] {
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

function feedRow(
  feed: FeedStatus,
  age: (time: string | null) => string,
  ago: (time: string | null) => string,
): string[] {
  const proof = feed.lastProof === null ? 'no proof of life yet' : `proof ${age(feed.lastProof)} ago`
  return [
    feed.name,
    feed.mode === null ? feed.state : `${feed.state} (${feed.mode})`,
    `${proof} (bound ${span(feed.boundSeconds)})`,
    `${feed.events} events, last ${ago(feed.lastEvent)}`,
    feed.recovered === 0 ? '' : `${feed.recovered} recovered`,
  ]
}

function sinkLines(status: StatusDocument, ago: (time: string | null) => string, cut: Cut, paint: Paint): string[] {
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

function latestGaps(status: StatusDocument, ago: (time: string | null) => string, cut: Cut, paint: Paint): string[] {
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

function formatBytes(bytes: number): string {
  if (bytes < 10 * 1024) return formatSize(bytes)
  const power = Math.min(4, Math.floor(Math.log2(bytes) / 10))
  return `${Math.round((bytes / 1024 ** power) * 10) / 10}${['B', 'KiB', 'MiB', 'GiB', 'TiB'][power]}`
}

/** Seconds in the two largest units: `3d 4h`, `12m 5s`, `7s`. */
export function span(seconds: number): string {
  if (!Number.isFinite(seconds)) return 'unknown'
  if (seconds < 0) return `-${span(-seconds)}`
  const whole = Math.round(seconds)
  const parts = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ] as const
  const first = parts.findIndex(([amount]) => amount > 0)
  if (first === -1) return '0s'
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount}${unit}`)
    .join(' ')
}

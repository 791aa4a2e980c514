/** The sources on the page: one row each to compare them, then each by itself. */
import { formatCount, span } from './amounts.ts'
import { errorOf, feedsEach, feedsOf, sumOf } from './page-feeds.ts'
import { type Html, html, type Piece } from './page-html.ts'
import { facts, fold, type Level, sign, state, type Times, table } from './page-parts.ts'
import { plotted } from './page-plot.ts'
import { levelOf } from './page-source-trouble.ts'
import type { SourceStatus, StatusDocument } from './status.ts'
import { worstFirst } from './worst-first.ts'

/** So few sources all stand open; of more, those that are not well. */
const OPEN_SOURCES = 3
/** However many are not well: all of it at once would be no page to read. */
const OPEN_UNWELL = 6

const ORDER: readonly Level[] = ['bad', 'watch', 'ok', 'quiet']

export function sourcesSection({ sources, perMinute }: StatusDocument, times: Times): Html {
  if (sources.length === 0) {
    return html`<section id="sources"><h2>Sources</h2><p class="dim">No source has been started yet.</p></section>`
  }
  const sorted = sources.toSorted((a, b) => ORDER.indexOf(levelOf(a, times)) - ORDER.indexOf(levelOf(b, times)))
  const unwell = new Set(sorted.filter(source => levelOf(source, times) !== 'ok').slice(0, OPEN_UNWELL))
  const most = feedsEach(sources)
  return html`<section id="sources"><h2>Sources</h2>${overview(sorted, perMinute.secondsOfLast, times)}<div class="each">${sorted.map(
    source => oneSource(source, sources.length <= OPEN_SOURCES || unwell.has(source), most, times),
  )}</div></section>`
}

function overview(sources: readonly SourceStatus[], secondsOfLast: number, times: Times): Html {
  return table<SourceStatus>({
    label: 'All sources',
    rows: sources,
    key: source => source.name,
    level: source => levelOf(source, times),
    columns: [
      {
        head: 'Source',
        cell: source =>
          html`<a class="short" href="#source-${source.name}">${source.name}</a> <span class="below dim">${source.system}${!source.required && ', not required'}</span>`,
      },
      {
        head: 'State',
        cell: source => [
          state(levelOf(source, times), source.state),
          html` <span class="below">${times.since(source.since)}</span>`,
        ],
      },
      {
        head: 'Events/s, last hour',
        cell: source => plotted('events per second', source.eventsPerMinute, secondsOfLast),
      },
      { head: 'Last event', cell: source => times.when(source.lastEvent) },
      { head: 'Last proof of life', cell: source => times.when(source.lastProof, 'none yet') },
      { head: 'Leases left', cell: source => leasesOf(source) },
      { head: 'Feeds', cell: source => sumOf(worstFirst(source.feeds)) || 'none' },
    ],
  })
}

function leasesOf({ leases }: SourceStatus): Piece {
  return Object.entries(leases).map(([lease, seconds]) => html`<span class="lease">${lease} ${left(seconds)}</span> `)
}

/** `41s`, or since when it is over. */
function left(seconds: number): string {
  return seconds < 0 ? `lapsed ${span(-seconds)} ago` : span(seconds)
}

function oneSource(source: SourceStatus, open: boolean, most: number, times: Times): Html {
  const { name, system } = source
  const level = levelOf(source, times)
  const summary = html`${sign(level)} <h3>${name}</h3> <span class="dim">${system}</span> <span class="${level}">${source.state}</span> <span class="dim">${times.since(source.since)}</span>`
  const doubts =
    source.doubts.length > 0 && html`<ul class="doubts">${source.doubts.map(doubt => html`<li>${doubt}</li>`)}</ul>`
  const body = html`${doubts}${factsOf(source, times)}${feedsOf(source, most, times)}`
  return fold({ id: `source-${name}`, className: `source ${level}`, open, summary, body })
}

function factsOf(source: SourceStatus, times: Times): Html {
  const { session, system, nextTrySeconds, lastError } = source
  const next = session?.handOverSeconds ?? null
  const handOver =
    next !== null && (next < 0 ? `, its successor is ${span(-next)} overdue` : `, handed over in ${span(next)}`)
  return facts([
    [system === 'apic' ? 'Controller in use' : 'Address', html`<span class="name">${source.address}</span>`, 'wide'],
    [
      'Protection',
      source.tlsVerified
        ? 'certificate verified'
        : html`<span class="watch">${sign('watch')} certificate NOT verified</span>`,
    ],
    ['Session', session === null ? 'none' : [`${span(session.ageSeconds)} old`, handOver]],
    ['Socket', source.pausedSince !== null && html`held back ${times.since(source.pausedSince)}`],
    ['Next try', nextTrySeconds !== null && (nextTrySeconds < 1 ? 'now' : `in ${span(nextTrySeconds)}`)],
    ['Leases left', leasesOf(source)],
    ['Last event', times.when(source.lastEvent)],
    ['Last proof of life', times.when(source.lastProof, 'not of every feed yet')],
    ['Reconnects', formatCount(source.reconnects)],
    ['Gaps', formatCount(source.gaps)],
    [
      'Dead letters',
      source.deadLettersDropped === 0
        ? formatCount(source.deadLetters)
        : `${formatCount(source.deadLetters)} (${formatCount(source.deadLettersDropped)} dropped unread)`,
    ],
    ['Certificate ends', source.certificateExpiry !== null && times.due(source.certificateExpiry)],
    ['Credential ends', source.credentialExpiry !== null && times.due(source.credentialExpiry)],
    ['Credential renewed', source.credentialRenewed !== null && times.when(source.credentialRenewed)],
    ['Last error', lastError !== null && errorOf(lastError, source.doubts, times), 'wide'],
  ])
}

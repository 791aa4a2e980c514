/** Store and sink on the page: what waits, what went out, where to. */
import { formatBytes, formatCount } from './amounts.ts'
import { type Html, html } from './page-html.ts'
import { facts, type Level, state, type Times } from './page-parts.ts'
import { plotted, shareBar } from './page-plot.ts'
import type { StatusDocument } from './status.ts'

export function deliverySection(status: StatusDocument, times: Times): Html {
  return html`<section id="delivery"><h2>Store and delivery</h2><div class="pair">${storePanel(status, times)}${sinkPanel(status, times)}</div></section>`
}

function storePanel({ store, counts, notReady, perMinute }: StatusDocument, times: Times): Html {
  if (store === null) return html`<article class="panel"><h3>Store</h3><p>${state('bad', 'not open')}</p></article>`
  const level: Level = notReady.includes('store') ? 'bad' : 'ok'
  const share = store.maxBytes > 0 ? store.bytes / store.maxBytes : 0
  const percent = share > 0 && share < 0.001 ? 'less than 0.1' : String(Math.round(share * 1000) / 10)
  return html`<article class="panel ${level}"><h3>Store</h3>${facts([
    ['State', [state(level, store.state), html` <span class="dim">${times.since(store.since)}</span>`]],
    ['Why', store.detail, 'wide'],
    [
      'Kept in',
      store.durable
        ? 'state_dir, on disk'
        : html`memory only <span class="dim">(no state_dir): what waits is lost when the daemon ends</span>`,
    ],
    ['Events that wait', formatCount(store.events)],
    ['Oldest that waits', store.oldest !== null && times.when(store.oldest)],
    [
      'Size',
      html`${formatBytes(store.bytes)} of ${formatBytes(store.maxBytes)} <span class="dim">(${percent} %)</span> ${shareBar(share)}`,
    ],
    ['Taken down/s, last hour', plotted('events taken down per second', perMinute.appended, perMinute.secondsOfLast)],
    [
      'Since the start',
      html`${formatCount(counts.appended)} new, ${formatCount(counts.duplicates)} known by id and dropped`,
    ],
    ['Dead letters', formatCount(store.deadLetters)],
  ])}</article>`
}

function sinkPanel({ sink, counts, notReady, perMinute }: StatusDocument, times: Times): Html {
  const level: Level = notReady.includes('sink') ? 'bad' : 'ok'
  if (sink === null) return html`<article class="panel"><h3>Sink</h3><p>${state(level, 'not opened yet')}</p></article>`
  const { server } = sink
  const was = sink.up ? '' : ' (as last seen)'
  return html`<article class="panel ${level}"><h3>Sink: ${sink.name}</h3>${facts([
    ['State', [state(level, sink.up ? 'up' : 'down'), html` <span class="dim">${times.since(sink.since)}</span>`]],
    // Where it is said piece by piece below, once is enough.
    [sink.up ? 'Where' : 'Why', (!sink.up || server === null) && sink.detail, 'wide'],
    [
      'Server',
      server !== null && html`nats-server ${server.version} at <span class="name">${server.address}</span>${was}`,
    ],
    ['JetStream API level', server !== null && (server.apiLevel ?? 'not told (nats-server before 2.11)')],
    ['Stream', server?.stream],
    ['Delivered/s, last hour', plotted('events delivered per second', perMinute.delivered, perMinute.secondsOfLast)],
    [
      'Since the start',
      html`${formatCount(counts.published)} delivered, ${formatCount(counts.publishedDuplicates)} known there already, ${formatCount(counts.publishRetries)} sent again, ${formatCount(counts.tooLarge)} too large`,
    ],
  ])}</article>`
}

/** The page for people at `/`: the status document as HTML, complete without a script, with nothing from outside. */
import { createHash } from 'node:crypto'
import { formatBytes, formatCount, span } from './amounts.ts'
import { deliverySection } from './page-delivery.ts'
import type { Trouble } from './page-guides.ts'
import { historySections } from './page-history.ts'
import { type Html, html, verbatim } from './page-html.ts'
import { counted, facts, type Level, sign, Times } from './page-parts.ts'
import { plotted } from './page-plot.ts'
import { SCRIPT } from './page-script.ts'
import { levelOf, sourcesSection } from './page-sources.ts'
import { STYLE } from './page-style.ts'
import { troubles } from './page-trouble.ts'
import type { StatusDocument } from './status.ts'

export const PAGE_TYPE = 'text/html; charset=utf-8'

const digest = (text: string): string => createHash('sha256').update(text).digest('base64')

/**
 * Nothing is loaded but what stands in the page: one style, one script, each by its digest, and the icon. The script may
 * ask this daemon again, nobody else.
 */
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${digest(STYLE)}'`,
  `script-src 'sha256-${digest(SCRIPT)}'`,
  'img-src data:',
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

export const PAGE_HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': POLICY,
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
}

/** Tells one build of the page from another: an open page loads itself anew when the daemon was upgraded. */
const BUILD = digest(STYLE + SCRIPT).slice(0, 12)

/** The whole page for one look. Pure. */
export function renderPage(status: StatusDocument): string {
  const times = new Times(status.now)
  const found = troubles(status)
  const level: Level = found[0]?.level ?? 'ok'
  const title = `${titleOf(found)}: opswire`
  return html`<!doctype html>
<html lang="en" data-build="${BUILD}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" href="${icon(level)}" data-old="${icon('quiet')}">
<style>${verbatim(STYLE)}</style>
</head>
<body>
<header class="top"><span class="brand">opswire</span><span class="dim" id="refresh">stands still without JavaScript: load it again to see more</span></header>
<p id="stale" role="alert" hidden></p>
<main>
${verdict(status, found, level, times)}
${tiles(status)}
${sourcesSection(status, times)}
${deliverySection(status, times)}
${historySections(status, times)}
${daemonSection(status, times)}
</main>
<footer>The same as JSON: <a href="status">status</a>. For Prometheus: <a href="metrics">metrics</a>. For supervisors: <a href="-/ready">ready</a>, <a href="-/healthy">healthy</a>. All times are UTC.</footer>
<script>${verbatim(SCRIPT)}</script>
</body>
</html>
`.text
}

function titleOf(found: readonly Trouble[]): string {
  const bad = found.filter(one => one.level === 'bad')
  if (bad.length > 0) return `NOT ready, ${bad[0]?.what}${bad.length > 1 ? ` and ${bad.length - 1} more` : ''}`
  return found.length > 0 ? `ready, ${counted(found.length, 'thing')} to look at` : 'all is well'
}

function verdict(status: StatusDocument, found: readonly Trouble[], level: Level, times: Times): Html {
  const bad = found.filter(one => one.level === 'bad').length
  const up = `Up for ${span(status.uptimeSeconds)}.`
  const [heading, text] =
    bad > 0
      ? [`Not ready: ${counted(bad, 'thing')} ${bad === 1 ? 'is' : 'are'} wrong`, up]
      : found.length > 0
        ? [`Ready, and ${counted(found.length, 'thing')} to look at`, up]
        : ['All is well', `Every source is up, the store is under its limit, the sink takes events. ${up}`]
  return html`<section id="verdict" class="${level}" aria-labelledby="verdict-words"><h1 id="verdict-words" aria-live="polite">${sign(level)} ${heading}</h1><p>${text} <span class="dim">As of ${status.now !== null && times.clock(status.now)}.</span></p>${
    found.length > 0 && html`<ol>${found.map(one => troubleItem(one, times))}</ol>`
  }</section>`
}

function troubleItem({ level, what, part, since, last, why, todo, see }: Trouble, times: Times): Html {
  return html`<li class="trouble ${level}" data-key="${what}"><div class="head"><span>${sign(level)} <strong><a href="#${part}">${what}</a></strong></span> ${since !== undefined && times.since(since)}${last !== undefined && html`<span>last one ${times.when(last)}</span>`}</div>${
    why !== '' && html`<div>${why}</div>`
  }<div class="todo"><b>To do:</b> ${todo} <span class="dim">${see.document}, “${see.heading}”</span></div></li>`
}

/** The icon tells the state by colour and shape in a row of tabs. */
function icon(level: Level): string {
  const [colour, shape] =
    level === 'ok'
      ? ['#1d8a3b', "<circle cx='8' cy='8' r='8'/><path d='M4 8l3 3 5-6'"]
      : level === 'watch'
        ? ['#b57400', "<path d='M8 0l8 16H0z'/><path d='M8 6v5M8 13v1'"]
        : level === 'bad'
          ? ['#c0212a', "<rect width='16' height='16' rx='2'/><path d='M4 4l8 8M12 4l-8 8'"]
          : ['#7a7f85', "<circle cx='8' cy='8' r='8'/><path d='M5 8h6'"]
  const svg = `<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16' fill='${colour}'>${shape} fill='none' stroke='#fff' stroke-width='2'/></svg>`
  return `data:image/svg+xml,${encodeURIComponent(svg)}`
}

function tiles({ sources, store, sink, counts, gaps, perMinute }: StatusDocument): Html {
  const well = sources.filter(source => levelOf(source) === 'ok').length
  const rows: [string, Html][] = [
    ['Sources that are well', html`${well} of ${sources.length}`],
    ['Events/s, last hour', plotted('events per second', perMinute.appended, perMinute.secondsOfLast)],
    ['Waiting for delivery', html`${store === null ? '?' : formatCount(store.events)}`],
    ['Delivered since the start', html`${formatCount(counts.published + counts.publishedDuplicates)}`],
    [
      'Store',
      html`${store === null ? 'not open' : formatBytes(store.bytes)}<span class="below">${store !== null && `of ${formatBytes(store.maxBytes)}`}</span>`,
    ],
    ['Sink', html`${sink === null ? 'not opened' : sink.up ? 'up' : 'down'}<span class="below">${sink?.name}</span>`],
    [
      'Gaps',
      html`${formatCount(sources.reduce((sum, source) => sum + source.gaps, 0))}<span class="below">since the start${gaps.length > 0 && ', newest below'}</span>`,
    ],
    [
      'Dead letters',
      html`${store === null ? '?' : formatCount(store.deadLetters)}<span class="below">in the store</span>`,
    ],
  ]
  return html`<section id="figures" aria-label="Figures"><dl class="tiles">${rows.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`
}

function daemonSection(
  { version, node, started, config, reload, uptimeSeconds, state }: StatusDocument,
  times: Times,
): Html {
  return html`<section id="daemon"><h2>This daemon</h2><article class="panel">${facts([
    ['Version', `opswire ${version}`],
    ['Node.js', node],
    ['State', state],
    ['Started', [times.when(started), ` (up for ${span(uptimeSeconds)})`]],
    ['Config', config !== null && html`<span class="name">${config.path}</span>`],
    ['Config hash (SHA-256)', config !== null && html`<code>${config.hash}</code>`, 'wide'],
    ['Config in force', config !== null && times.when(config.since)],
    [
      'Last reload',
      reload === null ? 'none since the start' : [times.when(reload.at), reload.ok ? ' taken up' : ' refused'],
    ],
    ['Why it was refused', reload?.problems.map(problem => html`<div>${problem}</div>`), 'wide'],
  ])}</article></section>`
}

/** The page for people at `/`: the status document as HTML, complete without a script, with nothing from outside. */
import { createHash } from 'node:crypto'
import { counted, formatBytes, formatCount, span } from './amounts.ts'
import { deliverySection } from './page-delivery.ts'
import type { Trouble } from './page-guides.ts'
import { historySections } from './page-history.ts'
import { type Html, html, verbatim } from './page-html.ts'
import { facts, fold, type Level, sign, Times } from './page-parts.ts'
import { plotted } from './page-plot.ts'
import { SCRIPT } from './page-script.ts'
import { levelOf } from './page-source-trouble.ts'
import { sourcesSection } from './page-sources.ts'
import { STYLE } from './page-style.ts'
import { troubles } from './page-trouble.ts'
import { type StatusDocument, stateWord } from './status.ts'

/** A clock that is set right by less is no news. */
const SKEW_SECONDS = 60

/** Things that are not well that stand open at the top. */
const OPEN_TROUBLES = 8

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
  const title = `${titleOf(status, found)}: opswire`
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
${tiles(status, times)}
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

function titleOf({ notReady }: StatusDocument, found: readonly Trouble[]): string {
  const bad = found.filter(one => one.level === 'bad')
  if (bad.length > 0) return `NOT ready, ${bad[0]?.what}${bad.length > 1 ? ` and ${bad.length - 1} more` : ''}`
  if (notReady.length > 0) return 'not ready yet'
  return found.length > 0 ? `ready, ${counted(found.length, 'thing')} to look at` : 'all is well'
}

function verdict(status: StatusDocument, found: readonly Trouble[], level: Level, times: Times): Html {
  const bad = found.filter(one => one.level === 'bad').length
  const up = `Up for ${span(status.uptimeSeconds)}.`
  const rest = found.length - bad
  const [heading, text] =
    bad > 0
      ? [
          `Not ready: ${counted(bad, 'thing')} ${bad === 1 ? 'is' : 'are'} wrong`,
          rest > 0 ? `${counted(rest, 'more thing')} to look at. ${up}` : up,
        ]
      : status.notReady.length > 0
        ? ['Not ready yet: it is starting', up]
        : found.length > 0
          ? [`Ready, and ${counted(found.length, 'thing')} to look at`, up]
          : ['All is well', `Every source is up, the store is under its limit, the sink takes events. ${up}`]
  return html`<section id="verdict" class="${level}" aria-labelledby="verdict-words"><h1 id="verdict-words" aria-live="polite">${sign(level)} ${heading}</h1><p>${text} <span class="dim">As of ${status.now !== null && times.clock(status.now)}.</span></p>${troubleList(found, times)}</section>`
}

/** Of very many only the first stand open: a page shall still be seen at one look. */
function troubleList(found: readonly Trouble[], times: Times): Html | false {
  const open = found.length <= OPEN_TROUBLES + 1 ? found : found.slice(0, OPEN_TROUBLES)
  const folded = found.slice(open.length)
  const list = (part: readonly Trouble[]): Html => html`<ol>${part.map(one => troubleItem(one, times))}</ol>`
  const summary = counted(folded.length, 'more thing')
  return (
    found.length > 0 &&
    html`${list(open)}${folded.length > 0 && fold({ key: 'more', className: 'more', open: false, summary, body: list(folded) })}`
  )
}

function troubleItem({ level, what, part, since, last, why, todo, see }: Trouble, times: Times): Html {
  return html`<li class="trouble ${level}" data-key="${what}"><div class="head"><span>${sign(level)} <span class="unseen">${level === 'bad' ? 'Wrong:' : 'To look at:'}</span> <strong><a href="#${part}">${what}</a></strong></span> ${since !== undefined && times.since(since)}${last !== undefined && html`<span>last one ${times.when(last)}</span>`}</div>${
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

function tiles({ sources, store, sink, counts, perMinute, notReady }: StatusDocument, times: Times): Html {
  const levels = sources.map(source => levelOf(source, times))
  const well = levels.filter(level => level === 'ok').length
  const worst = levels.includes('bad') ? 'bad' : levels.includes('watch') && 'watch'
  const against = (what: string): Level | false => notReady.includes(what) && 'bad'
  const rows: [string, Html, (Level | false)?][] = [
    ['Sources that are well', html`${well} of ${sources.length}`, worst],
    ['Events/s, last hour', plotted('events per second', perMinute.appended, perMinute.secondsOfLast)],
    ['Waiting for delivery', html`${store === null ? '?' : formatCount(store.events)}`],
    ['Delivered since the start', html`${formatCount(counts.published + counts.publishedDuplicates)}`],
    [
      'Store',
      html`${store === null ? 'not open' : formatBytes(store.bytes)}<span class="below">${store !== null && `of ${formatBytes(store.maxBytes)}${store.durable ? '' : ', in memory'}`}</span>`,
      against('store'),
    ],
    [
      'Sink',
      html`${sink === null ? 'not opened' : sink.up ? 'up' : 'down'}<span class="below">${sink?.name}</span>`,
      against('sink'),
    ],
    [
      'Gaps',
      html`${formatCount(sources.reduce((sum, source) => sum + source.gaps, 0))}<span class="below">since the start</span>`,
    ],
    [
      'Dead letters',
      html`${store === null ? '?' : formatCount(store.deadLetters)}<span class="below">in the store</span>`,
    ],
  ]
  return html`<section id="figures" aria-label="Figures"><dl class="tiles">${rows.map(([name, value, level]) => html`<div class="${level}"><dt>${name}</dt><dd>${value}</dd></div>`)}</dl></section>`
}

function daemonSection(status: StatusDocument, times: Times): Html {
  const { version, node, started, config, reload, uptimeSeconds } = status
  // The clock of the machine and the time that went by: apart when the clock was set, or the machine slept.
  const skew = started === null ? 0 : -times.secondsUntil(started) - uptimeSeconds
  return html`<section id="daemon"><h2>This daemon</h2><article class="panel">${facts([
    ['Version', `opswire ${version}`],
    ['Node.js', node],
    ['State', stateWord(status)],
    [
      'Clock',
      Math.abs(skew) > SKEW_SECONDS &&
        `set ${skew > 0 ? 'forward' : 'back'} by ${span(Math.abs(skew))} since the start, or the machine slept: ages of what was before are off by that`,
      'wide',
    ],
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

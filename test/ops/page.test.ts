/** The page as text: what it says, and that words from elsewhere stay words. How it looks in a browser: test/page. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { startHttp } from '../../src/ops/http.ts'
import { PAGE_HEADERS, renderPage } from '../../src/ops/page.ts'
import { GUIDES } from '../../src/ops/page-guides.ts'
import { html } from '../../src/ops/page-html.ts'
import { atMostOnceASecond } from '../../src/ops/page-once.ts'
import { minutePlot, peakRate, recentRate } from '../../src/ops/page-plot.ts'
import { troubles } from '../../src/ops/page-trouble.ts'
import type { StatusDocument } from '../../src/ops/status.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { documentOf, textOf } from './page-read.ts'
import { bringUp, emptyScene, HOSTILE, healthy, hostile, storeFull, twenty } from './page-scenes.ts'

const ROOT = resolve(import.meta.dirname, '../..')

test('all is well: the first words say so, and everything that the issue asks for is there', async () => {
  const status = await documentOf(healthy())
  const page = renderPage(status)
  const text = textOf(page)
  expect(troubles(status)).toEqual([])
  expect(page).toContain('<title>all is well: opswire</title>')
  expect(text).toMatch(/^ ?opswire stands still without JavaScript[^A]* All is well Every source is up/)
  for (const words of [
    'Sources that are well 3 of 3',
    'Controller in use https://fabric-a.example.net',
    'up for 1h 1m since 04:05:06Z',
    'session 3m 32s subscription 41s lifetime 21h 40m',
    '2h 13m old, handed over in 21h 40m',
    'Last event 20s ago 05:06:06Z',
    'Lease left Last event Events Late by',
    'class/faultInst cursor newest 2026-02-03T04:05:06.789Z anchor row-0',
    'live (tail)',
    'Size 39.6MiB of 2GiB (1.9 %)',
    'nats-server 2.15.1 at 127.0.0.1:4222',
    'JetStream API level 5',
    'Stream OPSWIRE',
    'Gaps None since the start: every hole so far was closed whole.',
    'Changes of state When What Change Why',
    'source salt up (was connecting )',
    'Version opswire 1.2.3',
    `Config hash (SHA-256) ${'4be1'.repeat(16)}`,
    'Last reload none since the start',
  ]) {
    expect(text).toContain(words)
  }
  expect(page.match(/<svg class="plot"/g)).toHaveLength(1 + 3 + 2)
})

test('what is wrong comes first, with its reason, since when, and where to read on', async () => {
  const status = await documentOf(twenty())
  const found = troubles(status)
  expect(found.map(one => `${one.level} ${one.what}`)).toEqual([
    'bad fabric-1 is degraded',
    'bad salt-5 is down',
    'watch cloud-9 is asked without protection',
    'watch The credential of cloud-12 runs out',
    'watch The last reload was refused',
    'watch 1 gap in the last day',
    'watch 1 dead letter',
  ])
  expect(found[1]).toMatchObject({
    since: '2026-02-03T05:06:26.789Z',
    why: 'connect ECONNREFUSED 192.0.2.17:443 (unreachable)',
    todo: 'Check address, DNS, routes, firewall. It is tried again in 31s.',
  })
  const page = renderPage(status)
  for (const { part } of found) expect(page).toContain(`id="${part}"`)
  expect(page).toContain('<title>NOT ready, fabric-1 is degraded and 1 more: opswire</title>')
  expect(textOf(page)).toContain('Not ready: 2 things are wrong')
  // The unwell stand open and first, of hundreds of feeds most are folded away.
  expect([...page.matchAll(/<details id="source-([^"]+)"[^>]*? open>/g)].map(([, name]) => name)).toEqual([
    'fabric-1',
    'salt-5',
  ])
  expect(textOf(page)).toContain('92 more feeds: 92 live')
  expect(page.indexOf('tn-customer-99/')).toBeLessThan(page.indexOf('tn-customer-0/'))
})

test('a full store and a sink that is away', async () => {
  const status = await documentOf(storeFull())
  expect(troubles(status).map(one => `${one.level} ${one.what}`)).toEqual([
    'bad The sink nats is down',
    'bad The store is full',
  ])
  const text = textOf(renderPage(status))
  expect(text).toContain('Events that wait 1,834,221')
  expect(text).toContain('nats-server 2.15.1 at 127.0.0.1:4222 (as last seen)')
})

test('each state of store, sink and daemon has its words', async () => {
  const well = await documentOf(healthy())
  const store = { ...well.store, since: well.now, detail: 'EIO' } as NonNullable<StatusDocument['store']>
  const what = (change: Partial<StatusDocument>): string[] =>
    troubles({ ...well, ...change }).map(one => `${one.level} ${one.what}`)
  expect(what({ store: null, notReady: ['store'] })).toEqual(['bad The store is not open'])
  expect(what({ store: { ...store, state: 'failing' } })).toEqual(['bad The store fails'])
  expect(what({ store: { ...store, bytes: store.maxBytes * 0.85 } })).toEqual(['watch The store fills up'])
  expect(what({ store: { ...store, oldest: '2026-02-03T05:05:00.000Z' } })).toEqual(['watch Delivery lags behind'])
  expect(what({ sink: null, notReady: ['sink'] })).toEqual(['bad The sink has not been opened yet'])
  expect(what({ state: 'stopping' })).toEqual(['bad The daemon is stopping'])
  expect(what({ sources: [], notReady: ['daemon'] })).toEqual(['bad No source has been started'])
  const [source] = well.sources
  const change = (over: Partial<StatusDocument['sources'][number]>) =>
    what({ sources: source === undefined ? [] : [{ ...source, ...over }] })
  expect(change({ state: 'degraded' })).toEqual(['watch fabric-a is degraded'])
  expect(change({ pausedSince: '2026-02-03T05:06:00.000Z' })).toEqual(['watch The socket of fabric-a is held back'])
  expect(change({ required: false, doubts: ['feed x is lost'] })).toEqual(['watch fabric-a is up, but not all of it'])
  expect(change({ certificateExpiry: '2026-02-01T00:00:00.000Z' })).toEqual([
    'watch The certificate of fabric-a has run out',
  ])
  for (const over of [
    { store: null },
    { sink: null },
    { sources: [] },
    { config: null },
    { reload: { at: well.now, ok: true, problems: [] } },
  ]) {
    expect(renderPage({ ...well, ...over })).toContain('</html>')
  }
})

test('every document and heading that the page names is there', () => {
  for (const { document, heading } of Object.values(GUIDES)) {
    const headings = [...readFileSync(join(ROOT, document), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, text]) => text)
    expect(headings, document).toContain(heading)
  }
})

test('over HTTP: with the headers that keep it to itself, and only for those who may read', async () => {
  const scene = await healthy()
  const folder = mkdtempSync(join(tmpdir(), 'opswire-page-'))
  const token_file = join(folder, 'token')
  writeFileSync(token_file, 'a-token-of-the-test\n')
  const http = await startHttp({ listen: '127.0.0.1:0', token_file, tls: null }, scene.ops, {
    clock: systemClock,
    reload: async () => ({ status: 200, body: {} }),
    replay: () => ({ status: 400, body: {} }),
  })
  try {
    const here = await fetch(`${http.url}/?x=1`)
    expect(here.status).toBe(200)
    const first = await here.text()
    expect(first).toBe(renderPage(scene.ops.status()))
    // Who looks within the same second gets the same page.
    scene.report({ type: 'source_gone', source: 'salt' })
    expect(await (await fetch(http.url)).text()).toBe(first)
    expect(Object.fromEntries(here.headers)).toMatchObject({
      ...PAGE_HEADERS,
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    const passedOn = { 'x-forwarded-for': '203.0.113.9' }
    expect((await fetch(http.url, { headers: passedOn })).status).toBe(401)
    const authorization = 'Bearer a-token-of-the-test'
    expect((await fetch(http.url, { headers: { ...passedOn, authorization } })).status).toBe(200)
    expect((await fetch(http.url, { method: 'POST' })).status).toBe(405)
    const head = await fetch(http.url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-security-policy')]).toEqual([
      200,
      PAGE_HEADERS['content-security-policy'],
    ])
  } finally {
    await http.close()
    scene.ops.close()
    rmSync(folder, { recursive: true })
  }
})

test('of 5,000 feeds a page shows some hundreds, and says how many are left', async () => {
  const scene = emptyScene()
  bringUp(scene, {
    ref: { system: 'apic', name: 'huge' },
    feeds: Array.from({ length: 5000 }, (_, at) => `mo/uni/tn-${at}`),
  })
  const page = renderPage(await documentOf(Promise.resolve(scene)))
  expect(Buffer.byteLength(page)).toBeLessThan(600_000)
  expect(textOf(page)).toContain('And 4,600 more feeds: 4,600 live.')
})

test('3,000 feeds of twenty sources are no larger page than 5,000 of one, and a source with few leaves its part to others', async () => {
  const scene = emptyScene()
  for (let at = 0; at < 20; at++) {
    const feeds = Array.from({ length: at === 0 ? 2 : 150 }, (_, feed) => `mo/uni/tn-${feed}`)
    bringUp(scene, { ref: { system: 'apic', name: `fabric-${at}` }, feeds })
  }
  const page = renderPage(await documentOf(Promise.resolve(scene)))
  expect(Buffer.byteLength(page)).toBeLessThan(700_000)
  expect(page.match(/data-key="mo\//g)).toHaveLength(2 + 19 * 20)
  expect(textOf(page)).toContain('And 130 more feeds: 130 live.')
})

test('a page is made once a second at most, for however many', async () => {
  const clock = new ManualClock()
  let made = 0
  const page = atMostOnceASecond(clock, () => String(++made))
  expect([page(), page(), page()]).toEqual(['1', '1', '1'])
  await clock.advance(999)
  expect(page()).toBe('1')
  await clock.advance(1)
  expect([page(), page()]).toEqual(['2', '2'])
})

test('the policy lets in this style and this script and nothing else, and there is nothing else', async () => {
  const page = renderPage(await documentOf(hostile()))
  const policy = PAGE_HEADERS['content-security-policy'] ?? ''
  const digest = (tag: string): string => {
    const bodies = [...page.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'))].map(([, body]) => body ?? '')
    expect(bodies).toHaveLength(1)
    return `'sha256-${createHash('sha256')
      .update(bodies[0] ?? '')
      .digest('base64')}'`
  }
  expect(policy.split('; ')).toEqual([
    "default-src 'none'",
    `style-src ${digest('style')}`,
    `script-src ${digest('script')}`,
    'img-src data:',
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ])
  expect(policy).not.toMatch(/unsafe|\*|https?:/)
  expect([...page.matchAll(/\b(?:href|src)="([^"]*)"/g)].map(([, to]) => to?.replace(/,.*/s, ''))).toEqual([
    'data:image/svg+xml',
    ...['#delivery', '#delivery', '#source-fabric-a', '#daemon', '#gaps', '#dead-letters'],
    '#source-fabric-a',
    ...['status', 'metrics', '-/ready', '-/healthy'],
  ])
  expect(page).not.toMatch(/\sstyle=/)
})

const OPAQUE = /<(style|script)>[\s\S]*?<\/\1>/g
const TAG = /<\/?([a-z0-9!]+)((?:\s+[a-zA-Z-]+(?:="[^"<>]*")?)*)\s*\/?>/g

/** The page's tags with the names of their attributes. Whatever else there is must be text, without a bracket in it. */
function shapeOf(page: string): string[] {
  const ours = page.replace(OPAQUE, '')
  expect(ours.replace(TAG, '')).not.toMatch(/[<>]/)
  return [...ours.matchAll(TAG)].map(([, tag, attributes = '']) => `${tag}${attributes.replace(/="[^"]*"/g, '')}`)
}

test('hostile words change no tag and no attribute, whatever they are and wherever they stand', async () => {
  const shapes = async (words: readonly string[]) => shapeOf(renderPage(await documentOf(hostile(words))))
  const plain = await shapes(['one', 'two'])
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(
        fc.oneof(
          fc.constantFrom(...HOSTILE),
          fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
          fc.string({ minLength: 1 }),
        ),
        {
          minLength: 2,
          maxLength: 2,
          selector: word => word.replace(/[^\p{L}\p{N}]/gu, ''),
        },
      ),
      async words => {
        fc.pre(words.every(word => /[\p{L}\p{N}]/u.test(word)))
        expect(await shapes(words.map((word, at) => `${at}${word}`))).toEqual(plain)
      },
    ),
    { numRuns: 60 },
  )
})

test('a template escapes what is laid into it, in text and in attributes, and nothing twice', () => {
  const word = `<b a="1" c='2'>&amp;\u202E\u0000\n</b>`
  const piece = html`<p title="${word}">${word}${[1, null, undefined, false, 'x', html`<i>${'<'}</i>`]}</p>`
  const safe = '&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt;&amp;amp;   &lt;/b&gt;'
  expect(piece.text).toBe(`<p title="${safe}">${safe}1x<i>&lt;</i></p>`)
})

test('a plot has a bar for each minute with anything in it, the highest as high as the picture', () => {
  const plot = minutePlot('events', [0, 60, 0, 120, 1], 30).text
  const bars = [...plot.matchAll(/M(\d+) 27v-([\d.]+)h2v[\d.]+z/g)].map(([, x, height]) => [Number(x), Number(height)])
  expect(bars).toEqual([
    [168, 13],
    [174, 26],
    [177, 1.5],
  ])
  expect(plot).toContain('aria-label="events of the last 5 minutes, a bar each: now 0.67/s, at most 2.00/s"')
  expect(plot).toContain('class="bars running" d="M177')
  expect(minutePlot('events', [0], 0).text).not.toContain('v-')
})

test('rates are told over the last five whole minutes and the one under way', () => {
  expect(recentRate([0, 0, 0, 600, 600, 600, 600, 600, 300], 30)).toBe(10)
  expect(recentRate([7], 0)).toBe(7)
  expect(recentRate(new Array(60).fill(0), 12)).toBe(0)
  expect(peakRate([60, 180, 0])).toBe(3)
})

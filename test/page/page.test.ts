/** The status page in a real Chromium: the real daemon with three systems and a real nats-server, and daemons made of happenings. */
import type { Page } from 'puppeteer-core'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { startNatsServer } from '../../src/tools/nats-server.ts'
import { bringUp, emptyScene, HOSTILE, healthy, hostile, storeFull, twenty } from '../ops/page-scenes.ts'
import { untilAnswered } from '../support/asked.ts'
import { until } from '../support/manual-clock.ts'
import { NEWEST, natsBinary } from '../support/nats.ts'
import { ThreeSystems } from '../support/three-systems.ts'
import { look, refresh, textOf } from './in-browser.ts'
import { chromium, closeBrowser, closeOpened, closers, open, picture, SCHEMES, says, serve, WIDTHS } from './rig.ts'

afterEach(closeOpened)
afterAll(closeBrowser)

describe('the layout', () => {
  it.for([
    ['healthy', healthy],
    ['store-full', storeFull],
    ['twenty', twenty],
    ['hostile', hostile],
    ['empty', async () => emptyScene()],
  ] as const)(
    '%s: nothing overlaps, sticks out or is too pale, narrow and wide, light and dark',
    async ([name, make], { skip }) => {
      const browser = await chromium(skip)
      const { url } = await serve(await make())
      const { page } = await open(browser, url)
      for (const scheme of SCHEMES) {
        await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
        for (const width of WIDTHS) {
          await page.setViewport({ width, height: 900 })
          for (const folded of scheme === 'light' ? [true, false] : [true]) {
            await page.evaluate(
              `for (const one of document.querySelectorAll('details.cursor, details.more')) one.open = ${!folded}`,
            )
            const { found, boxes, least } = await look(page)
            expect(found, `${width} ${scheme} ${folded ? 'folded' : 'unfolded'}`).toEqual([])
            expect(boxes).toBeGreaterThan(60)
            expect(least).toBeLessThan(21)
            if (folded) await picture(page, `${name}-${width}-${scheme}`)
          }
        }
      }
    },
  )
})

it('the check of the layout sees what it looks for', async ({ skip }) => {
  const browser = await chromium(skip)
  const page = await browser.newPage()
  closers.push(() => page.close())
  await page.setViewport({ width: 400, height: 900 })
  const wrongs = [
    ['<p style="margin-bottom:-30px">one</p><p>two</p>', /^on top of each other: p "one" and p "two"$/],
    ['<p style="width:500px">wide</p>', /^outside the window: p "wide"$/],
    ['<div style="width:50px"><p style="width:90px">inner</p></div>', /^sticks out of div "inner": p "inner"$/],
    ['<p style="width:40px">unbreakable</p>', /^does not hold its content: p "unbreakable"$/],
    ['<p style="color:#888">pale</p>', /^contrast 3\.54: p "pale"$/],
    ['<svg width="0" height="0"></svg><p>text</p>', /^nothing to see of svg/],
  ] as const
  await page.setContent('<body style="background:#fff"><p>well</p>')
  expect((await look(page)).found).toEqual([])
  for (const [body, complaint] of wrongs) {
    await page.setContent(`<body style="background:#fff">${body}`)
    expect((await look(page)).found, body).toContainEqual(expect.stringMatching(complaint))
  }
})

it('on paper every source is folded out, in dark on white', async ({ skip }) => {
  const browser = await chromium(skip)
  const { url } = await serve(await twenty())
  const { page } = await open(browser, url, { width: 794, scheme: 'dark' })
  await page.emulateMediaType('print')
  expect((await look(page)).found).toEqual([])
  expect(await page.evaluate(`getComputedStyle(document.body).backgroundColor`)).toBe('rgb(255, 255, 255)')
  const heights = `[...document.querySelectorAll('.source > table')].filter(one => one.getBoundingClientRect().height > 20).length`
  expect(await page.evaluate(heights)).toBe(20)
  await picture(page, 'print-794')
})

describe('without a script, and with words that mean no good', () => {
  it('the page is complete where no script runs, and says that it stands still', async ({ skip }) => {
    const browser = await chromium(skip)
    const { url } = await serve(await healthy())
    const { page, complaints } = await open(browser, url, { script: false })
    expect(await textOf(page, 'h1')).toBe('All is well')
    expect(await textOf(page, '#refresh')).toBe('stands still without JavaScript: load it again to see more')
    expect(await textOf(page, '#source-fabric-a')).toContain('session 3m 32s subscription 41s')
    await page.click('#source-salt > summary')
    expect(await page.evaluate(`document.querySelector('#source-salt').open`)).toBe(false)
    expect(complaints).toEqual([])
  })

  it('words from elsewhere are words: no script runs, nothing is loaded, none gets lost', async ({ skip }) => {
    const browser = await chromium(skip)
    const { url } = await serve(await hostile())
    const { page, complaints } = await open(browser, url)
    await refresh(page)
    for (const one of await page.$$('details:not([open]) > summary')) await one.click()
    expect(await page.evaluate('window.pwned')).toBeUndefined()
    expect(
      await page.evaluate(
        `document.querySelectorAll('img, iframe, object, [onload], [onerror], [onfocus], [style]').length`,
      ),
    ).toBe(0)
    expect(await page.evaluate(`document.querySelectorAll('script').length`)).toBe(1)
    for (const word of HOSTILE.slice(0, 7)) expect(await textOf(page, '#gaps')).toContain(word)
    expect(complaints).toEqual([])
    // The policy stands behind the escaping: what got in all the same would not run.
    await page.evaluate(
      `document.querySelector('main').insertAdjacentHTML('beforeend', '<img src="x" onerror="window.pwned=8"><p style="color:red" onclick="window.pwned=9">')`,
    )
    await page.evaluate(`document.querySelector('main > p').click()`)
    await until(() => complaints.length >= 3 || undefined, 'the policy complains')
    expect(complaints.join('\n')).toMatch(/Content Security Policy/)
    expect(await page.evaluate('window.pwned')).toBeUndefined()
  })
})

describe('an open page', () => {
  it('lays what is new over what stands: scrolling, focus, a selection and what was folded stay', async ({ skip }) => {
    const browser = await chromium(skip)
    const scene = await twenty()
    const { url } = await serve(scene)
    const { page, complaints } = await open(browser, url, { width: 800 })
    expect(await textOf(page, '#refresh')).toBe('refreshes itself every 5 s')
    await page.evaluate(`
      document.querySelector('#source-cloud-3').open = true;
      document.querySelector('#source-fabric-1').open = false;
      document.querySelector('#source-salt-5 .cursor').open = true;
      document.querySelector('a[href="#source-salt-8"]').focus({ preventScroll: true });
      scrollTo(0, 3000);
      getSelection().selectAllChildren(document.querySelector('#source-salt-8 h3'));
      document.querySelector('#source-salt-8 h3').mine = true;
      window.seen = document.elementFromPoint(400, 450);
    `)
    const stands = () =>
      page.evaluate(`[document.querySelector('#source-cloud-3').open, document.querySelector('#source-fabric-1').open,
        document.querySelector('#source-salt-5 .cursor').open, document.activeElement.getAttribute('href'),
        getSelection().toString(), document.querySelector('#source-salt-8 h3').mine]`)
    const before = await stands()
    const height = () => page.evaluate('window.seen.getBoundingClientRect().top')
    const top = Number(await height())
    // Two are well again, one falls: the order changes, and rows come and go.
    scene.report({ type: 'source_state', source: 'salt-5', state: 'up' })
    scene.report({ type: 'feed_declared', source: 'salt-5', feed: 'audit', proofBoundMs: 120_000 })
    scene.report({ type: 'feed_state', source: 'salt-5', feed: 'audit', state: 'live' })
    scene.report({ type: 'feed_proof', source: 'salt-5', feed: 'audit' })
    scene.report({ type: 'source_gone', source: 'cloud-18' })
    scene.report({
      type: 'source_state',
      source: 'fabric-19',
      state: 'down',
      reason: 'gone',
      code: 'timeout',
      retryInMs: 1000,
    })
    await says(page, '#verdict', /fabric-19 is down/)
    expect(await stands()).toEqual(before)
    // Though rows above it came and went.
    expect(Math.abs(Number(await height()) - top)).toBeLessThan(3)
    expect(before).toEqual([true, false, true, '#source-salt-8', 'salt-8', true])
    // What the daemon folds out because it fell is folded out; what it finds well it folds in.
    expect(
      await page.evaluate(
        `[document.querySelector('#source-fabric-19').open, document.querySelector('#source-salt-5').open, document.querySelector('#source-cloud-18')]`,
      ),
    ).toEqual([true, false, null])
    // As a page that was loaded now.
    const inner = (one: Page) => one.evaluate(`document.querySelector('main').innerHTML.replace(/ open=""/g, '')`)
    const { page: fresh } = await open(browser, url, { width: 800 })
    expect(await inner(page)).toBe(await inner(fresh))
    expect(complaints).toEqual([])
  })

  it('says that it is old when nobody answers, and goes on by itself when somebody does', async ({ skip }) => {
    const browser = await chromium(skip)
    const scene = emptyScene()
    bringUp(scene, { ref: { system: 'raas', name: 'salt' }, feeds: ['jobs'] })
    const http = await serve(scene)
    const { page } = await open(browser, http.url, { width: 360 })
    expect(await page.evaluate(`document.querySelector('#stale').checkVisibility()`)).toBe(false)
    await http.close()
    await says(
      page,
      '#stale',
      /^No answer from the daemon since \d\d:\d\d:\d\dZ \(it can not be reached\): what stands here is old\.$/,
    )
    expect(await page.title()).toBe('no answer: opswire')
    expect(await page.evaluate(`document.querySelector('#stale').checkVisibility()`)).toBe(true)
    expect(await page.evaluate(`getComputedStyle(document.querySelector('h1'), '::before').content`)).toBe(
      '"As of then: "',
    )
    expect((await look(page)).found).toEqual([])
    await picture(page, 'no-answer-360-light')
    await serve(scene, new URL(http.url).host)
    // By its own timer.
    await untilAnswered(
      () => page.title(),
      title => title === 'all is well: opswire',
      'an answer',
    )
    expect(await page.evaluate(`document.querySelector('#stale').checkVisibility()`)).toBe(false)
  })
})

describe('the real daemon', () => {
  it('is well, loses a source, has a hole that can not be closed, and ends', async ({ skip }) => {
    const browser = await chromium(skip)
    const nats = await startNatsServer({ binary: await natsBinary(NEWEST, skip) })
    closers.push(() => nats.remove())
    const systems = await ThreeSystems.make()
    closers.push(() => systems.close())
    systems.blocks.top += `nats: { servers: ["${nats.url}"], stream: { create: true } }\n`
    systems.write()
    await systems.start()
    const { page, complaints } = await open(browser, systems.url)
    await says(page, 'h1', /^All is well$/)
    const status = await systems.status()
    const body = await textOf(page, 'body')
    for (const words of [
      status.config?.hash ?? '?',
      `nats-server ${NEWEST} at 127.0.0.1:${nats.port}`,
      'JetStream API level',
      'Stream OPSWIRE',
      `Controller in use ${systems.apic.url}`,
      `Address ${systems.raas.url}`,
      'certificate verified',
    ]) {
      expect(body).toContain(words)
    }
    for (const source of status.sources) for (const feed of source.feeds) expect(body).toContain(feed.name)
    // A fact comes, and its feed tells its cursor, its lateness and its count.
    systems.apic.post('uni/tn-prod', { fvTenant: { attributes: { name: 'prod' } } })
    await says(page, '#source-fabric-a tr[data-key="class/fvTenant"]', / [1-9]\d*( |$)/)
    await page.click('#source-fabric-a tr[data-key="class/aaaModLR"] .cursor summary')
    expect(await textOf(page, '#source-fabric-a tr[data-key="class/aaaModLR"] .cursor')).toMatch(/\d{4}-\d\d-\d\dT/)
    await picture(page, 'real-healthy-1600-light')
    expect((await look(page)).found).toEqual([])

    await systems.raas.close()
    await says(page, 'h1', /^Not ready: 1 thing is wrong$/)
    await says(page, '#verdict', /salt is (down|degraded).*To do: .*docs\/OPERATIONS\.md/)
    expect(await page.title()).toMatch(/^NOT ready, salt is/)
    await says(page, '#source-salt .doubts', /unreachable|ECONNREFUSED/)
    expect((await look(page)).found).toEqual([])
    await picture(page, 'real-dead-source-1600-light')

    await systems.apic.goDown()
    systems.apic.fabric.post('uni', {
      className: 'fvTenant',
      attributes: { dn: 'uni/tn-missed', name: 'missed' },
      children: [],
    })
    await systems.apic.comeUp()
    await says(page, '#gaps', /class\/fvTenant outage_no_history/)
    await says(page, '#verdict', /gaps? in the last day.*docs\/OPERATIONS\.md/)
    await page.setViewport({ width: 360, height: 900 })
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: 'dark' }])
    expect((await look(page)).found).toEqual([])
    await picture(page, 'real-gap-360-dark')

    expect(complaints).toEqual([])
    expect(await systems.daemon.stop()).toBe(0)
    await says(page, '#stale', /^No answer from the daemon/)
  })
})

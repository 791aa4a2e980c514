/** An open page in a real Chromium: in the background, behind a proxy, with names that are cut to the same one. */
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { bringUp, emptyScene, healthy, twenty } from '../ops/page-scenes.ts'
import { untilAnswered } from '../support/asked.ts'
import { refresh, textOf } from './in-browser.ts'
import { chromium, closeBrowser, closeOpened, open, serve } from './rig.ts'

afterEach(closeOpened)
afterAll(closeBrowser)

describe('a page that nobody sees, or that somebody keeps back', () => {
  it('a tab in the background asks once a minute; without an answer its icon is not green', async ({ skip }) => {
    const browser = await chromium(skip)
    const scene = emptyScene()
    bringUp(scene, { ref: { system: 'raas', name: 'salt' }, feeds: ['jobs'] })
    const http = await serve(scene)
    const { page } = await open(browser, http.url)
    const icon = () => page.evaluate(`document.querySelector('link[rel=icon]').href`)
    const green = await icon()
    await page.evaluate(`
      window.later = 0;
      const now = performance.now.bind(performance);
      performance.now = () => now() + window.later;
      Object.defineProperty(document, 'hidden', { get: () => true });
      const ask = window.fetch;
      window.asked = 0;
      window.fetch = (...rest) => { window.asked++; return ask(...rest); };
    `)
    scene.report({ type: 'source_state', source: 'salt', state: 'down', reason: 'gone', code: 'timeout' })
    await refresh(page)
    expect(await page.evaluate('window.asked')).toBe(0)
    const aMinuteLater = async (): Promise<string> => {
      await page.evaluate('window.later += 60_000')
      await refresh(page)
      return page.title()
    }
    await untilAnswered(aMinuteLater, title => title === 'NOT ready, salt is down: opswire', 'the new title')
    const red = await icon()
    expect(red).not.toBe(green)
    await http.close()
    await untilAnswered(aMinuteLater, title => title === 'no answer: opswire', 'the title of no answer')
    expect([green, red]).not.toContain(await icon())
  })

  it.for([
    [302, 'it wants a login: load the page again'],
    [401, 'HTTP 401, it wants a login: load the page again'],
    [503, 'HTTP 503'],
  ] as const)('says what a proxy in front answers: %i', async ([status, words], { skip }) => {
    const browser = await chromium(skip)
    const { url } = await serve(await healthy())
    const { page } = await open(browser, url)
    await page.setRequestInterception(true)
    page.on('request', request => void request.respond({ status, headers: { location: '/login' }, body: 'no' }))
    await refresh(page)
    await untilAnswered(
      () => textOf(page, '#stale'),
      text => text.includes(`(${words})`),
      words,
    )
  })

  it('after an upgrade it loads itself anew: script, style and policy are those of the daemon that answers', async ({
    skip,
  }) => {
    const browser = await chromium(skip)
    const { url } = await serve(await healthy())
    const { page, complaints } = await open(browser, url)
    await page.setRequestInterception(true)
    page.on('request', request => {
      if (request.resourceType() !== 'fetch') return void request.continue()
      const body = '<!doctype html><html data-build="another"><main>made by another</main></html>'
      return void request.respond({ status: 200, contentType: 'text/html', body })
    })
    await page.evaluate('window.old = true')
    await Promise.all([page.waitForNavigation(), refresh(page)])
    expect(await page.evaluate('window.old')).toBeUndefined()
    expect(await textOf(page, 'h1')).toBe('All is well')
    expect(complaints).toEqual([])
  })

  it('feeds whose long names are cut to the same one keep a row each; a folded part opens to who goes there', async ({
    skip,
  }) => {
    const browser = await chromium(skip)
    const scene = await twenty()
    const long = `class/fvTenant.json?${'rsp-subtree-include=health,'.repeat(6)}`
    bringUp(scene, { ref: { system: 'apic', name: 'long' }, feeds: [`${long}a`, `${long}b`, 'class/faultInst'] })
    const { url } = await serve(scene)
    const { page } = await open(browser, url)
    const rows = () => page.evaluate(`document.querySelectorAll('#source-long tbody tr').length`)
    expect(await rows()).toBe(3)
    scene.report({ type: 'source_gone', source: 'cloud-18' })
    const rest = async (): Promise<unknown> => {
      await refresh(page)
      return page.evaluate(`document.querySelector('#source-cloud-18')`)
    }
    await untilAnswered(rest, gone => gone === null, 'the refresh')
    expect(await rows()).toBe(3)
    expect(await page.evaluate(`document.querySelector('#source-long').open`)).toBe(false)
    await page.click('#sources > table a[href="#source-long"]')
    expect(await page.evaluate(`document.querySelector('#source-long').open`)).toBe(true)
  })
})

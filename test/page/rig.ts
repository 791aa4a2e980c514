/** One Chromium for a file of tests, pages in it that tell what the browser complains of, daemons made of happenings to look at. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'puppeteer-core'
import { type RunningHttp, startHttp } from '../../src/ops/http.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import type { Scene } from '../ops/page-scenes.ts'
import { untilAnswered } from '../support/asked.ts'
import { type RunningBrowser, startBrowser } from '../support/browser.ts'
import { refresh, textOf } from './in-browser.ts'

type Skip = (note: string) => never

export const WIDTHS = [360, 800, 1200, 1600] as const
export const SCHEMES = ['light', 'dark'] as const
/** Where pictures go, if anybody wants them. */
const PICTURES = process.env['SCREENSHOTS']

let running: ReturnType<typeof startBrowser> | undefined
/** What is to be ended after the test. */
export const closers: (() => Promise<unknown>)[] = []

/** Ends what the last test opened, the last first. */
export async function closeOpened(): Promise<void> {
  for (const close of closers.splice(0).reverse()) await close()
}

/** Ends the browser, if there was one. */
export async function closeBrowser(): Promise<void> {
  const started = await running
  if (started !== undefined && 'close' in started) await started.close()
}

/** One for the whole file. Without one the caller's test is not run: that is printed, and fails under OPSWIRE_REQUIRE_TOOLS=1. */
export async function chromium(skip: Skip): Promise<Browser> {
  running ??= startBrowser()
  const started: RunningBrowser | { readonly missing: string } = await running
  if ('browser' in started) return started.browser
  const note = `NOT RUN: ${started.missing}`
  process.stderr.write(`${note}\n`)
  if (process.env['OPSWIRE_REQUIRE_TOOLS'] === '1') throw new Error(note)
  return skip(note)
}

interface Opened {
  readonly page: Page
  /** What the browser had to complain of: errors of scripts, things that the policy kept out. */
  readonly complaints: string[]
}

interface Look {
  readonly width?: number
  readonly scheme?: (typeof SCHEMES)[number]
  readonly script?: boolean
}

export async function open(
  browser: Browser,
  url: string,
  { width = 1600, scheme = 'light', script = true }: Look = {},
): Promise<Opened> {
  const page = await browser.newPage()
  closers.push(() => page.close())
  const complaints: string[] = []
  page.on('console', message => complaints.push(message.text()))
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('dialog', dialog => void dialog.dismiss().then(() => complaints.push('a dialog')))
  page.on('request', request => {
    if (!request.url().startsWith(url) && !request.url().startsWith('data:')) complaints.push(`asked ${request.url()}`)
  })
  await page.setJavaScriptEnabled(script)
  await page.setViewport({ width, height: 900 })
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }])
  await page.goto(`${url}/`)
  return { page, complaints }
}

/** Waits until the page says so, asking the daemon again and again. */
export function says(page: Page, selector: string, words: RegExp): Promise<string> {
  const ask = async (): Promise<string> => {
    await refresh(page)
    return textOf(page, selector)
  }
  return untilAnswered(ask, text => words.test(text), `${words} in ${selector}`)
}

export async function picture(page: Page, name: string): Promise<void> {
  if (PICTURES === undefined) return
  mkdirSync(PICTURES, { recursive: true })
  await page.screenshot({ path: join(PICTURES, `${name}.png`) as `${string}.png`, fullPage: true })
}

/** Serves a scene over the real endpoint. */
export async function serve(scene: Scene, listen = '127.0.0.1:0'): Promise<RunningHttp> {
  const http = await startHttp({ listen, token_file: null, tls: null }, scene.ops, {
    clock: systemClock,
    reload: async () => ({ status: 200, body: {} }),
    replay: () => ({ status: 400, body: {} }),
  })
  closers.push(async () => {
    await http.close()
    scene.ops.close()
  })
  return http
}

/** A real Chromium, headless, as the package `@sparticuz/chromium` brings it. Nothing of it is fetched at run time. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { inflate } from '@sparticuz/chromium'
import puppeteer, { type Browser } from 'puppeteer-core'
import { cacheFolder } from '../../src/tools/resolve.ts'

// The client opens it when it is loaded; nobody reads it here, and it would be left behind.
process.stdin.destroy()

const PARTS = resolve(import.meta.dirname, '../../node_modules/@sparticuz/chromium/bin')
const VERSION = '153.0.0'

const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Letters in the same places on every machine.
  '--font-render-hinting=none',
]

export interface RunningBrowser {
  readonly browser: Browser
  /** Ends it, and removes what it wrote. */
  close(): Promise<void>
}

/** Why there is no Chromium here; else one that runs, with an empty profile and the fonts of the package. */
export async function startBrowser(): Promise<RunningBrowser | { readonly missing: string }> {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    return { missing: 'the Chromium of the package is for Linux on x64' }
  const home = await unpacked()
  const executablePath = join(home, 'chromium')
  const userDataDir = mkdtempSync(join(tmpdir(), 'opswire-browser-'))
  const env: Record<string, string | undefined> = { ...process.env, FONTCONFIG_FILE: fontsOf(home, userDataDir) }
  // Only where the machine has not got its libraries: its own, which the package brings too.
  const needs = spawnSync('ldd', [executablePath], { encoding: 'utf8' }).stdout ?? ''
  if (needs.includes('not found')) env['LD_LIBRARY_PATH'] = join(home, 'al2023/lib')
  const remove = (): void => rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 })
  try {
    const browser = await puppeteer.launch({ executablePath, userDataDir, args: FLAGS, env, pipe: true })
    return {
      browser,
      async close() {
        const pipes = browser.process()?.stdio ?? []
        await browser.close()
        for (const pipe of pipes) pipe?.destroy()
        remove()
      },
    }
  } catch (error) {
    remove()
    return { missing: `Chromium does not start here: ${String(error).split('\n', 1)[0]}` }
  }
}

/** The package's own settings name folders of the cloud that it was made for. */
function fontsOf(home: string, scratch: string): string {
  const file = join(scratch, 'fonts.conf')
  const folders = `<dir>${join(home, 'fonts')}</dir><cachedir>${join(scratch, 'fonts-cache')}</cachedir>`
  writeFileSync(file, `<?xml version="1.0"?><fontconfig>${folders}</fontconfig>`)
  return file
}

/** Where its parts lie, once unpacked (seconds, 210 MB): beside the other tools. Whole, or not there. */
async function unpacked(): Promise<string> {
  const home = join(cacheFolder(process.env), `chromium-${VERSION}`)
  if (existsSync(home)) return home
  mkdirSync(dirname(home), { recursive: true })
  const making = mkdtempSync(`${home}-`)
  const before = process.env['TMPDIR']
  // The package unpacks into the folder for temporary files, and takes what it finds there, half of it too.
  process.env['TMPDIR'] = making
  try {
    for (const part of ['chromium.br', 'fonts.tar.br', 'al2023.tar.br']) await inflate(join(PARTS, part))
  } finally {
    if (before === undefined) delete process.env['TMPDIR']
    else process.env['TMPDIR'] = before
  }
  try {
    renameSync(making, home)
  } catch {
    // Another run was faster.
    rmSync(making, { recursive: true, force: true })
  }
  return home
}

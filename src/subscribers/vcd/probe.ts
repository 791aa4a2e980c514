/** Trying a Cloud Director step by step: its versions, the login, and the right to read the audit trail. */
import { readFile } from 'node:fs/promises'
import type { VcdConfig } from '../../config/sources.ts'
import { describe } from '../../errors.ts'
import type { Found, Probe } from '../../probe.ts'
import { knock } from '../knock.ts'
import { VcdApi } from './api.ts'
import { parseInventory } from './inventory.ts'
import { PageSize } from './page-size.ts'
import { Pages } from './pages.ts'
import type { QuestionsOptions } from './questions.ts'
import { chooseVersion } from './versions.ts'

const DAY_MS = 86_400_000

/** One login, by the daemon's own lock where the token rotates. */
export async function probeVcd(config: VcdConfig, options: QuestionsOptions, probe: Probe): Promise<void> {
  const { clock, signal } = options
  const tls = { tls: config.tls, timeoutMs: config.request_timeout, clock, signal }
  if (!(await probe.step('connect', () => knock(config.url, tls)))) return probe.skip('login', 'no connection')
  const memory = { current: undefined, unsaved: undefined, version: undefined, versionAt: Number.NEGATIVE_INFINITY }
  const api = new VcdApi({ ...options, config, memory })
  try {
    const speaks = await probe.step('versions', async () => {
      const offered = await api.offered()
      const { version, advice } = chooseVersion(offered)
      return advice === undefined ? `API ${version} of ${offered.length} offered` : { warning: advice }
    })
    if (!speaks) return probe.skip('login', 'no API version')
    const isIn = await probe.step('login', async () => {
      await api.open()
      return `organisation ${config.org}`
    })
    if (!isIn) return
    await probe.step('read audit', async () => {
      const fromMs = api.serverNow() - DAY_MS
      const { total, rows } = await new Pages(api, { pageSize: new PageSize() }).page({ fromMs }, 1, true)
      return total === 1 ? '1 event within a day' : `${total ?? `${rows.length} or more`} events within a day`
    })
    if (config.token_inventory_file !== undefined) {
      await probe.step('inventory', () => inventory(config.token_inventory_file ?? ''))
    }
  } finally {
    await api.close()
  }
}

/** Without it tokens have no names: worth a word, no more. */
async function inventory(path: string): Promise<Found> {
  try {
    parseInventory(await readFile(path, 'utf8'))
    return path
  } catch (error) {
    return { warning: `${path}: ${describe(error)}; tokens get no names from it` }
  }
}

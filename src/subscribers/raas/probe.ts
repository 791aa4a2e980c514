/** Trying a RaaS step by step: the login, its version, and the right to read what the config asks for. */
import type { RaasConfig } from '../../config/sources.ts'
import type { Found, Probe } from '../../probe.ts'
import { knock } from '../knock.ts'
import { Access } from './access.ts'
import { versionOf } from './capabilities.ts'
import { isRefused, RaasClient, type ReadingMethod, RpcError } from './client.ts'
import { Failing } from './failing.ts'
import type { QuestionsOptions } from './questions.ts'
import { pageOf } from './rows.ts'

const MAX_BYTES = 64 * 1024 * 1024
const ONE = { limit: 1, page: 0 }

/** One login; a JWT can't be logged out of. */
export async function probeRaas(config: RaasConfig, options: QuestionsOptions, probe: Probe): Promise<void> {
  const { clock, signal } = options
  const tls = { tls: config.tls, timeoutMs: config.request_timeout, clock, signal }
  if (!(await probe.step('connect', () => knock(config.url, tls)))) return probe.skip('login', 'no connection')
  const access = new Access(config)
  const client = new RaasClient({ ...options, config, access, failing: new Failing(), maxBytes: MAX_BYTES })
  try {
    const isIn = await probe.step('login', async () => {
      const version = await versionOf(client)
      const who = access.username === undefined ? 'logged in' : `as ${access.username}`
      return version === undefined ? who : `${who}, RaaS ${version}`
    })
    if (!isIn) return
    const may = (what: string, method: ReadingMethod, kwarg: Readonly<Record<string, unknown>> = ONE) =>
      probe.step(`read ${what}`, () => rows(client, method, kwarg))
    await probe.step('read returns', () => returns(client))
    if (config.jobs) {
      await may('runs', 'cmd.get_cmds')
      await may('jobs', 'job.get_jobs')
    }
    if (config.audit) await may('audit', 'audit.get_audit')
  } finally {
    await client.close()
  }
}

async function rows(
  client: RaasClient,
  method: ReadingMethod,
  kwarg: Readonly<Record<string, unknown>>,
): Promise<string> {
  const { count } = pageOf(await client.call(method, kwarg))
  return count === undefined ? method : `${method}: ${count} ${count === 1 ? 'row' : 'rows'}`
}

/** A server that can't sort returns by time is read run by run: slower, nothing is lost. */
async function returns(client: RaasClient): Promise<Found> {
  try {
    return await rows(client, 'ret.get_returns', { ...ONE, sort_by: 'alter_time', reverse: true })
  } catch (error) {
    if (!isRefused(error) || (error instanceof RpcError && error.refusal === 'permission')) throw error
    const found = await rows(client, 'ret.get_returns', ONE)
    return { warning: `${found}; this server does not sort them by time, so they are read run by run` }
  }
}

/** Trying a fabric step by step: each controller, the login, the socket, and the right to read what is subscribed to. */
import type { ApicConfig } from '../../config/sources.ts'
import { codeOf, Fatal } from '../../errors.ts'
import type { Found, Probe } from '../../probe.ts'
import type { Report } from '../../report.ts'
import type { Clock } from '../../scheduler/clock.ts'
import { knock } from '../knock.ts'
import { passwordAuthentication } from './auth.ts'
import { ApicClient } from './client.ts'
import { TUNING } from './core.ts'
import { planFeeds } from './feeds.ts'
import type { Paces } from './pace.ts'
import { whileThrottled } from './patient.ts'
import { queryUrl } from './query.ts'
import { ApicSocket } from './socket.ts'
import { askDomains } from './visit.ts'

export interface ProbeApicOptions {
  readonly config: ApicConfig
  readonly clock: Clock
  readonly report: Report
  readonly signal: AbortSignal
  /** Shared by all that is tried: fabrics with one account or one controller take turns. */
  readonly paces: Paces
}

/** So many subscriptions are tried: a controller need not answer thousands for a check. */
const MOST_READS = 50
/** One object of each is enough to know. */
const ONE = [
  ['page', '0'],
  ['page-size', '1'],
] as const

/** `part`: the steps of one address. One login at each controller, and out again; a refused password is sent once. */
export async function probeApic(options: ProbeApicOptions, part: (address: string) => Probe): Promise<void> {
  const { config, clock, signal } = options
  let refused = false
  let isRead = false
  for (const controller of config.controllers) {
    const probe = part(controller)
    const tls = { tls: config.tls, timeoutMs: config.request_timeout, clock, signal }
    const isThere = await probe.step('connect', () => knock(controller, tls))
    if (!isThere) {
      probe.skip('login', 'no connection')
      continue
    }
    await probe.step('domains', () => domains(options, controller))
    if (refused) {
      probe.skip('login', 'the same login was refused by another controller: asked again, it might lock the account')
      continue
    }
    const pace = options.paces.of(controller, { clock, maxConcurrency: config.max_concurrency, tuning: TUNING })
    const auth = passwordAuthentication(config, options.paces.refusals)
    const client = new ApicClient({ ...options, controller, auth, pace })
    try {
      const isIn = await probe.step('login', async () => {
        try {
          const { version, refreshTimeoutMs } = await whileThrottled(clock, signal, () => client.login())
          const release = version === '' ? '' : `, APIC ${version}`
          return `as ${auth.user}${release}, session of ${Math.round(refreshTimeoutMs / 1000)} s`
        } catch (error) {
          refused = codeOf(error) === 'auth_refused'
          throw error
        }
      })
      if (!isIn) continue
      await probe.step('socket', () => socket(options, client))
      if (!isRead) await read(options, client, probe)
      isRead = true
      await probe.step('logout', async () => {
        await client.logout()
        return ''
      })
    } finally {
      await client.logout()
      await client.close()
    }
  }
}

async function domains(options: ProbeApicOptions, controller: string): Promise<Found> {
  const { config } = options
  const { objects } = await askDomains({ ...options, config: { ...config, controllers: [controller] } }, 'json')
  const names = objects.flatMap(({ attributes: { name } }) => (name === undefined || name === '' ? [] : [name]))
  const { login_domain: wanted } = config
  const list = names.join(', ')
  if (wanted === undefined || names.includes(wanted)) return list
  return { warning: `there is no login domain ${wanted}; there is ${list}` }
}

/** What pushes come over: proxies that let requests through may stop this. */
async function socket({ config, clock, signal }: ProbeApicOptions, client: ApicClient): Promise<string> {
  const opened = await ApicSocket.open({
    url: client.socketUrl,
    headers: client.socketHeaders,
    tls: config.tls,
    clock,
    timeoutMs: config.request_timeout,
    pingMs: TUNING.pingMs,
    signal,
    onFrame: () => undefined,
    onLost: () => undefined,
  })
  opened.close()
  return 'WebSocket opens'
}

async function read({ config, clock, signal }: ProbeApicOptions, client: ApicClient, probe: Probe): Promise<void> {
  const plans = planFeeds(config)
  for (const { query } of plans.slice(0, MOST_READS)) {
    await probe.step(`read ${query.name}`, async () => {
      const ask = () => client.get(queryUrl(query, config.format, ONE), 'query', signal)
      const { totalCount, objects } = await whileThrottled(clock, signal, ask)
      const count = totalCount ?? objects.length
      if (count > 0) return count === 1 ? '1 object' : `${count} objects`
      // An APIC shows what one may see: no right and no object look alike.
      return query.logClass === undefined
        ? 'no objects: there are none, or this login may not see them'
        : 'no records yet'
    })
  }
  if (plans.length > MOST_READS) probe.skip('read …', `${plans.length - MOST_READS} more subscriptions are not tried`)
  if (plans.length === 0) throw new Fatal('config', 'no subscriptions')
}

/** Trying NATS step by step: the login, JetStream, the stream, and the right to publish. Nothing is made or published. */
import { JetStreamApiCodes, JetStreamApiError, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import type { NatsConfig } from '../config/schema.ts'
import { Fatal, Retryable } from '../errors.ts'
import type { Found, Probe } from '../probe.ts'
import type { Clock } from '../scheduler/clock.ts'
import { CredentialsRefused, connectNats } from './nats-connect.ts'
import { covers, judge, PUBLISHED } from './nats-stream.ts'

const API_TIMEOUT_MS = 5000
/** What tells a login its own rights, from 2.10 on; others are silent. */
const USER_INFO = '$SYS.REQ.USER.INFO'
const USER_INFO_MS = 1000

export interface ProbeNatsOptions {
  readonly clock: Clock
  readonly signal: AbortSignal
}

export async function probeNats(config: NatsConfig, options: ProbeNatsOptions, probe: Probe): Promise<void> {
  let connection: NatsConnection | undefined
  await probe.step('connect', async () => {
    connection = await connected(config, options)
    const { info } = connection
    return `${connection.getServer()}, nats-server ${info?.version ?? 'unknown'}`
  })
  if (connection === undefined) return probe.skip('stream', 'no connection')
  try {
    const line = connection
    await probe.step(`stream ${config.stream.name}`, () => stream(config, line))
    await probe.step('publish', () => rights(config, line))
  } finally {
    await connection.close()
  }
}

async function connected(config: NatsConfig, { clock, signal }: ProbeNatsOptions): Promise<NatsConnection> {
  try {
    return await connectNats(config, { clock, signal, name: 'opswire check' })
  } catch (error) {
    throw error instanceof CredentialsRefused ? new Fatal('auth_refused', error.message) : error
  }
}

async function stream(config: NatsConfig, connection: NatsConnection): Promise<Found> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: API_TIMEOUT_MS })
  const { name, create } = config.stream
  try {
    const { config: found, state } = await manager.streams.info(name)
    const { warnings } = judge(found, config)
    const text = `${state.messages} messages`
    return warnings.length === 0 ? text : { warning: `${text}; ${warnings.join('; ')}` }
  } catch (error) {
    if (error instanceof Retryable) throw error
    const isMissing = error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound
    if (isMissing && create) return 'missing: the daemon makes it when it starts'
    if (isMissing) {
      throw new Retryable('sink', `it does not exist and nats.stream.create is false: create it on ${config.prefix}.>`)
    }
    if (error instanceof Error && error.name === 'JetStreamNotEnabled') {
      throw new Retryable('sink', 'JetStream is not enabled on this server or account', { cause: error })
    }
    throw new Retryable('sink', "it can't be looked at", { cause: error })
  }
}

interface Permissions {
  readonly publish?: { readonly allow?: readonly string[]; readonly deny?: readonly string[] }
}

async function rights(config: NatsConfig, connection: NatsConnection): Promise<Found> {
  const subjects = PUBLISHED.map(token => `${config.prefix}.${token}.>`)
  const asked = await permissions(connection)
  if (asked === undefined)
    return `not known: the server does not tell this login its rights (needed: ${config.prefix}.>)`
  const { allow = [], deny = [] } = asked.publish ?? {}
  const missing = subjects.filter(
    subject =>
      (allow.length > 0 && !allow.some(pattern => covers(pattern, subject))) ||
      deny.some(pattern => covers(pattern, subject) || covers(subject, pattern)),
  )
  if (missing.length > 0) throw new Fatal('permission', `this login may not publish on ${missing.join(', ')}`)
  return `allowed on ${config.prefix}.>`
}

/** Undefined where the server does not say. */
async function permissions(connection: NatsConnection): Promise<Permissions | undefined> {
  try {
    const answer = await connection.request(USER_INFO, undefined, { timeout: USER_INFO_MS })
    const { data } = answer.json() as { data?: { permissions?: Permissions } }
    return data === undefined ? undefined : (data.permissions ?? {})
  } catch {
    return undefined
  }
}

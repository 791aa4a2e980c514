/**
 * Connects to NATS, once. The client's own reconnecting is off: it throws away what is published meanwhile and gives up
 * for good on some errors (reference: pitfalls P1, P2), so a lost connection is a lost session and the pump opens another.
 */
import { readFile } from 'node:fs/promises'
import { connect as dial } from 'node:net'
import {
  type Authenticator,
  AuthorizationError,
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node'
import type { NatsConfig } from '../config/schema.ts'
import { describe, Retryable } from '../errors.ts'
import type { Clock } from '../scheduler/clock.ts'

/** Longest wait for a server to speak, and for the whole handshake. */
const CONNECT_MS = 5000
/** A half-open connection is found within three of these; unanswered publishes find it sooner. */
const PING_MS = 10_000
/** Refused credentials are not tried more often than this. */
const AUTH_HOLD_MS = 5000

/** The server takes another login, not this one. */
export class CredentialsRefused extends Retryable {
  constructor(message: string) {
    super('sink', message, { afterMs: AUTH_HOLD_MS })
  }
}

export interface ConnectDeps {
  readonly clock: Clock
  readonly signal: AbortSignal
  /** What the server lists this connection as. */
  readonly name: string
}

/**
 * Resolves with a connection whose `closed()` tells of its end. Credentials and key files are read now, each time.
 * Rejects with `Retryable('sink')`, which says what is wrong and never holds a secret.
 */
export async function connectNats(config: NatsConfig, deps: ConnectDeps): Promise<NatsConnection> {
  const authenticator = await authenticatorOf(config)
  const servers = await speaking(config, deps)
  const secure = config.tls !== null || config.servers.some(server => server.startsWith('tls://'))
  const options: ConnectionOptions = {
    servers,
    name: deps.name,
    reconnect: false,
    timeout: CONNECT_MS,
    pingInterval: PING_MS,
    maxPingOut: 2,
    noAsyncTraces: true,
    ignoreClusterUpdates: true,
    ...(authenticator === undefined ? {} : { authenticator }),
    ...(secure ? { tls: await tlsOf(config) } : {}),
  }
  let connection: NatsConnection
  try {
    connection = await connect(options)
  } catch (error) {
    throw refusal(error, servers)
  }
  try {
    if (deps.signal.aborted) throw deps.signal.reason
    // It would end the connection at the first event, and give no reason.
    if (connection.info?.headers !== true) {
      throw new Retryable('sink', `NATS at ${connection.getServer()} takes no headers: no_header_support must be off`)
    }
    return connection
  } catch (error) {
    await connection.close()
    throw error
  }
}

function refusal(error: unknown, servers: readonly string[]): Retryable {
  if (error instanceof AuthorizationError) {
    return new CredentialsRefused(`NATS at ${servers.join(', ')} refuses the credentials`)
  }
  // It says so and closes at once: what we send meanwhile may be refused before its words are read.
  const isCut = /\b(EPIPE|ECONNRESET)\b/.test(describe(error))
  const why = isCut ? ', which ended the connection at once: it may take no more (max_connections)' : ''
  return new Retryable('sink', `can't connect to NATS at ${servers.join(', ')}${why}`, { cause: error })
}

async function authenticatorOf(config: NatsConfig): Promise<Authenticator | undefined> {
  try {
    const authenticator = await readAuthenticator(config)
    // A key that can't be parsed shows here, with its own words, instead of as a connection that closes.
    authenticator?.('nonce')
    return authenticator
  } catch (error) {
    throw new Retryable('sink', 'the NATS credentials of the config are not usable', { cause: error })
  }
}

async function readAuthenticator(config: NatsConfig): Promise<Authenticator | undefined> {
  if (config.credentials_file !== undefined) {
    const bytes = await readFile(config.credentials_file)
    return credsAuthenticator(bytes)
  }
  if (config.user !== undefined) return usernamePasswordAuthenticator(config.user, await config.password?.read())
  if (config.token !== undefined) return tokenAuthenticator(await config.token.read())
  if (config.nkey_seed !== undefined) return nkeyAuthenticator(Buffer.from((await config.nkey_seed.read()).trim()))
  return undefined
}

async function tlsOf(config: NatsConfig): Promise<{ ca?: string; cert?: string; key?: string }> {
  const { ca_file = null, cert_file = null, key_file = null } = config.tls ?? {}
  const read = async (key: string, file: string | null): Promise<Record<string, string>> => {
    if (file === null) return {}
    try {
      return { [key]: await readFile(file, 'utf8') }
    } catch (error) {
      throw new Retryable('sink', `can't read the file of nats.tls`, { cause: error })
    }
  }
  return { ...(await read('ca', ca_file)), ...(await read('cert', cert_file)), ...(await read('key', key_file)) }
}

/**
 * The servers that speak NATS now. The client never closes a socket whose handshake it gave up on, so a server that
 * accepts and says nothing would cost one socket an attempt: it is tried here first, by a socket that is always closed.
 */
async function speaking(config: NatsConfig, deps: ConnectDeps): Promise<string[]> {
  const problems: string[] = []
  const found: string[] = []
  await Promise.all(
    config.servers.map(async server => {
      const url = new URL(server)
      if (url.username !== '' || url.password !== '') {
        problems.push(`${url.host}: credentials in the URL are not taken; use user and password_file`)
        return
      }
      const address = { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? 4222 : Number(url.port) }
      try {
        await knock(address, deps)
        found.push(`${url.hostname}:${address.port}`)
      } catch (error) {
        problems.push(`${url.hostname}:${address.port}: ${describe(error)}`)
      }
    }),
  )
  if (deps.signal.aborted) throw deps.signal.reason
  if (found.length === 0) throw new Retryable('sink', `no NATS server can be reached (${problems.sort().join('; ')})`)
  return found
}

/** Resolves when the server has sent the `INFO` that begins every NATS conversation. */
function knock(address: { host: string; port: number }, { clock, signal }: ConnectDeps): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = dial(address)
    const end = (error?: unknown): void => {
      cancel()
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      if (error === undefined) resolve()
      else reject(error)
    }
    const onAbort = (): void => end(signal.reason)
    const cancel = clock.after(CONNECT_MS, () => end(new Error(`silent for ${CONNECT_MS} ms`)))
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', (error: NodeJS.ErrnoException) =>
      end(error.code === 'ECONNREFUSED' ? new Error('connection refused') : error),
    )
    socket.once('close', () => end(new Error('closed at once')))
    socket.once('data', (data: Buffer) =>
      end(/^INFO\s/i.test(data.toString('latin1')) ? undefined : new Error('this is no NATS server')),
    )
    if (signal.aborted) onAbort()
  })
}

/** The real nats-server behind a wire, and what its operator does to it. */
import { cpSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiscardPolicy, type JetStreamManager, jetstreamManager, type StreamState } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { NatsConfig } from '../../../src/config/schema.ts'
import type { Certificate } from '../../../src/simulators/server.ts'
import { type Tapped, tap } from '../../../src/sinks/nats-tap.ts'
import { type RunningNats, startNatsServer } from '../../../src/tools/nats-server.ts'
import { resolveTool } from '../../../src/tools/resolve.ts'
import { natsConfig } from '../../support/nats.ts'
import { Wire } from '../../support/wire.ts'

export const STREAM = 'OPSWIRE'
export const NATS_USER = 'opswire'
export const NATS_PASSWORD = 'wire-0'
const ROOM = 60
const ADMIN = { user: 'admin', pass: 'admin' }

type StreamChange = Parameters<JetStreamManager['streams']['update']>[1]

/** The server's certificate, where it reads it. */
interface Files {
  readonly cert: string
  /** Of the server's config. */
  readonly line: string
  write(certificate: Certificate): void
  remove(): void
}

function filesOf(certificate: Certificate): Files {
  const directory = mkdtempSync(join(tmpdir(), 'opswire-broker-'))
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')]
  const write = (one: Certificate): void => {
    writeFileSync(cert, one.cert)
    writeFileSync(key, one.key)
  }
  write(certificate)
  const line = `tls { cert_file: "${cert}", key_file: "${key}" }`
  return { cert, line, write, remove: () => rmSync(directory, { recursive: true, force: true }) }
}

export interface BrokerOptions {
  /** More lines of the server's config. */
  readonly more?: string | undefined
  /** With it nats-server speaks TLS. */
  readonly certificate?: Certificate | undefined
  /** What the config says of the account of all users: without it they are in the server's own. */
  readonly account?: string | undefined
}

export class Broker {
  readonly server: RunningNats
  readonly wire: Wire

  readonly #more: string
  readonly #account: string | undefined
  readonly #files: Files | undefined

  private constructor(
    server: RunningNats,
    wire: Wire,
    of: Pick<BrokerOptions, 'account'> & { more: string; files?: Files | undefined },
  ) {
    this.server = server
    this.wire = wire
    this.#more = of.more
    this.#account = of.account
    this.#files = of.files
  }

  /** Rejects when that version can't be had. */
  static async start(version: string, { more = '', certificate, account }: BrokerOptions = {}): Promise<Broker> {
    const found = await resolveTool('nats-server', { exactly: version })
    if ('missing' in found) throw new Error(`NOT RUN: ${found.missing}`)
    const files = certificate && filesOf(certificate)
    const lines = `${more}\n${files?.line ?? ''}`
    const config = configOf({ more: lines, account })
    const server = await startNatsServer({ binary: found.path, config })
    return new Broker(server, await Wire.to(server.port), { more: lines, account, files })
  }

  /** The whole stream as it is now, in its order; empty while there is none. */
  async contents(): Promise<Tapped[]> {
    const state = await this.admin(stateOf)
    if (state === undefined || state.messages === 0) return []
    const all: Tapped[] = []
    const done = new AbortController()
    for await (const message of tap(this.#config(), { signal: done.signal, from: 'start' })) {
      all.push(message)
      if (message.left === 0) break
    }
    return all
  }

  /** Does something with an operator's rights, past the wire. */
  async admin<T>(deed: (manager: JetStreamManager) => Promise<T>): Promise<T> {
    const tls = this.#files === undefined ? {} : { tls: { caFile: this.#files.cert } }
    const connection = await connect({ servers: this.server.url, ...ADMIN, ...tls, reconnect: false })
    try {
      return await deed(await jetstreamManager(connection, { checkAPI: false }))
    } finally {
      await connection.close()
    }
  }

  /**
   * Little more than what is there now fits into the stream; what comes then is refused. Gives the way back. Little more:
   * a limit below what came while it was being set would take the oldest away.
   */
  async fill(): Promise<() => Promise<void>> {
    const messages = (await this.admin(stateOf))?.messages ?? 0
    await this.#change({ discard: DiscardPolicy.New, max_msgs: messages + ROOM })
    return () => this.#change({ discard: DiscardPolicy.Old, max_msgs: -1 })
  }

  /** The stream takes other subjects only. Gives the way back. */
  async misdirect(): Promise<() => Promise<void>> {
    await this.#change({ subjects: ['elsewhere.>'] })
    return () => this.#change({ subjects: ['opswire.>'] })
  }

  /** The stream is set otherwise, and its connections are cut, so that it is looked at. Gives the way back. */
  async missize(config: StreamChange, back: StreamChange): Promise<() => Promise<void>> {
    await this.#change(config)
    this.wire.cut()
    return () => this.#change(back)
  }

  /** Deletes the stream with all that is in it. */
  async deleteStream(): Promise<void> {
    await this.admin(async manager => {
      if ((await stateOf(manager)) !== undefined) await manager.streams.delete(STREAM)
    })
  }

  /** The daemon's user may not publish, by a reload of the server's config. Gives the way back. */
  async forbid(): Promise<() => Promise<void>> {
    await this.#reload({ mayPublish: false })
    return () => this.#reload()
  }

  /** Keeps a copy of what the server has on disk. Gives the way back to it: all that came since is gone. */
  copied(): () => Promise<void> {
    const { storeDir, pid } = this.server
    const aside = `${storeDir}-aside`
    if (pid !== undefined) process.kill(pid, 'SIGSTOP')
    cpSync(storeDir, aside, { recursive: true })
    if (pid !== undefined) process.kill(pid, 'SIGCONT')
    return async () => {
      await this.server.kill()
      rmSync(storeDir, { recursive: true })
      renameSync(aside, storeDir)
      await this.server.restart()
    }
  }

  /** Another password for the daemon's user, by a reload of the server's config. */
  async changePassword(password: string): Promise<void> {
    await this.#reload({ password })
  }

  /** Another certificate, by a reload of the server's config; every connection is cut. */
  async certify(certificate: Certificate): Promise<void> {
    if (this.#files === undefined) throw new Error('it speaks no TLS')
    this.#files.write(certificate)
    await this.#reload()
    this.wire.cut()
  }

  /** More lines of the server's config, or others of the account, by a reload. Gives the way back. */
  async limit(change: { readonly more?: string; readonly account?: string }): Promise<() => Promise<void>> {
    await this.#reload({ ...change, more: `${this.#more}\n${change.more ?? ''}` })
    return () => this.#reload()
  }

  async remove(): Promise<void> {
    await this.wire.close()
    await this.server.remove()
    this.#files?.remove()
  }

  #reload(change: Partial<ServerWords> = {}): Promise<void> {
    return this.server.reload(configOf({ more: this.#more, account: this.#account, ...change }))
  }

  /** A stream that is not there yet is made as the daemon wants it. */
  #change(config: StreamChange): Promise<void> {
    return this.admin(async manager => {
      if ((await stateOf(manager)) !== undefined) await manager.streams.update(STREAM, config)
    })
  }

  #config(): NatsConfig {
    const tls = this.#files === undefined ? {} : { tls: { ca_file: this.#files.cert } }
    return natsConfig(this.server.url, { user: ADMIN.user, password: ADMIN.pass, ...tls })
  }
}

async function stateOf(manager: JetStreamManager): Promise<StreamState | undefined> {
  const streams = await manager.streams.list().next()
  return streams.find(one => one.config.name === STREAM)?.state
}

interface ServerWords {
  readonly more: string
  readonly account: string | undefined
  readonly mayPublish?: boolean
  readonly password?: string
}

/** The server's config: an operator, and the daemon's user, that may publish or not; in an account of their own, if it has words. */
function configOf({ more, account, mayPublish = true, password = NATS_PASSWORD }: ServerWords): string {
  const permissions = mayPublish ? '' : ', permissions: { publish: { deny: ["opswire.>"] } }'
  const users = [
    `{ user: ${ADMIN.user}, password: ${ADMIN.pass} }`,
    `{ user: ${NATS_USER}, password: ${password}${permissions} }`,
  ].join(', ')
  const who =
    account === undefined
      ? `authorization { users: [${users}] }`
      : `accounts { OPS: { ${account}, users: [${users}] } }`
  return `${who}\n${more}`
}

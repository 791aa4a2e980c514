/** The real nats-server behind a wire, and what its operator does to it. */
import { cpSync, renameSync, rmSync } from 'node:fs'
import { DiscardPolicy, type JetStreamManager, jetstreamManager, type StreamState } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { NatsConfig } from '../../../src/config/schema.ts'
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

export class Broker {
  readonly server: RunningNats
  readonly wire: Wire

  private constructor(server: RunningNats, wire: Wire) {
    this.server = server
    this.wire = wire
  }

  /** Rejects when that version can't be had. */
  static async start(version: string, more?: string): Promise<Broker> {
    const found = await resolveTool('nats-server', { exactly: version })
    if ('missing' in found) throw new Error(`NOT RUN: ${found.missing}`)
    const server = await startNatsServer({ binary: found.path, config: configOf(true, NATS_PASSWORD, more) })
    return new Broker(server, await Wire.to(server.port))
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
    const connection = await connect({ servers: this.server.url, ...ADMIN, reconnect: false })
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

  /** Deletes the stream with all that is in it. */
  async deleteStream(): Promise<void> {
    await this.admin(async manager => {
      if ((await stateOf(manager)) !== undefined) await manager.streams.delete(STREAM)
    })
  }

  /** The daemon's user may not publish, by a reload of the server's config. Gives the way back. */
  async forbid(): Promise<() => Promise<void>> {
    await this.server.reload(configOf(false))
    return () => this.server.reload(configOf(true))
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
    await this.server.reload(configOf(true, password))
  }

  async remove(): Promise<void> {
    await this.wire.close()
    await this.server.remove()
  }

  /** A stream that is not there yet is made as the daemon wants it. */
  #change(config: Parameters<JetStreamManager['streams']['update']>[1]): Promise<void> {
    return this.admin(async manager => {
      if ((await stateOf(manager)) !== undefined) await manager.streams.update(STREAM, config)
    })
  }

  #config(): NatsConfig {
    return natsConfig(this.server.url, { user: ADMIN.user, password: ADMIN.pass })
  }
}

async function stateOf(manager: JetStreamManager): Promise<StreamState | undefined> {
  const streams = await manager.streams.list().next()
  return streams.find(one => one.config.name === STREAM)?.state
}

/** The server's config: an operator, and the daemon's user, that may publish or not. */
function configOf(mayPublish: boolean, password = NATS_PASSWORD, more = ''): string {
  const permissions = mayPublish ? '' : ', permissions: { publish: { deny: ["opswire.>"] } }'
  const users = [
    `{ user: ${ADMIN.user}, password: ${ADMIN.pass} }`,
    `{ user: ${NATS_USER}, password: ${password}${permissions} }`,
  ]
  return `authorization { users: [${users.join(', ')}] }\n${more}`
}

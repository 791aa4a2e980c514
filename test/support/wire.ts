/** A TCP proxy in front of one server, with all that can happen to a connection on its way. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { sleep, systemClock } from '../../src/scheduler/clock.ts'

/** One connection: from the client to us, and from us to the server. */
interface Pair {
  readonly client: Socket
  readonly server: Socket | undefined
  /** Half-open for good: nothing passes, not even the end. */
  dead: boolean
}

/** A trickle is written in so many pieces a second. */
const PIECES = 20
const RELISTEN_MS = 100
const RELISTEN_TRIES = 100

export class Wire {
  readonly #target: number
  readonly #pairs = new Set<Pair>()
  #server: Server
  #port = 0
  #resetAfter: number | undefined
  #held: Promise<void> | undefined
  #release: () => void = () => undefined
  /** Drops what the server sends. */
  deaf = false
  /** New connections are taken, and nothing ever answers on them. */
  dark = false
  /** What passes is this late, ms, in both directions. */
  delayMs = 0
  /** No more than this passes in each direction of each connection, bytes a second. */
  bytesPerSecond = Number.POSITIVE_INFINITY
  /** Told of all that passes, in both directions, and of which connection. */
  onBytes: (chunk: Buffer, from: 'client' | 'server', client: Socket) => void = () => undefined

  constructor(target: number) {
    this.#target = target
    this.#server = this.#made()
  }

  static async to(port: number): Promise<Wire> {
    const wire = new Wire(port)
    await wire.#listen(0)
    wire.#port = (wire.#server.address() as AddressInfo).port
    return wire
  }

  /** Stays the same for good, also while connections are refused. */
  get port(): number {
    return this.#port
  }

  /** Connections that clients have open. */
  get open(): number {
    return this.#pairs.size
  }

  /** Breaks every connection. */
  cut(): void {
    for (const { client, server } of this.#pairs) {
      client.destroy()
      server?.destroy()
    }
  }

  /** The connections that are there become half-open for good: nothing passes any more, and neither side is told. New ones are well. */
  silence(): void {
    for (const pair of this.#pairs) pair.dead = true
  }

  /** Nothing passes, and nothing is lost: all of it comes after `release`. */
  hold(): void {
    if (this.#held !== undefined) return
    this.#held = new Promise(resolve => {
      this.#release = resolve
    })
  }

  release(): void {
    this.#held = undefined
    this.#release()
  }

  /** Resets a connection after so many more bytes from the server, in the middle of whatever they are. Once. */
  resetAfter(bytes: number | undefined): void {
    this.#resetAfter = bytes
  }

  /** Nobody listens any more, and what was connected is cut. */
  async refuse(): Promise<void> {
    const closed = this.#closed()
    this.cut()
    await closed
  }

  /** Listens again, on the same port. */
  async allow(): Promise<void> {
    if (this.#server.listening) return
    for (let tries = 0; ; tries++) {
      this.#server = this.#made()
      try {
        return await this.#listen(this.#port)
      } catch (error) {
        // Somebody's outgoing connection may have been given the port meanwhile.
        if (tries >= RELISTEN_TRIES) throw error
        await sleep(systemClock, RELISTEN_MS)
      }
    }
  }

  async close(): Promise<void> {
    this.release()
    const closed = this.#closed()
    this.cut()
    await closed
  }

  #made(): Server {
    return createServer(client => this.#take(client))
  }

  #listen(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, '127.0.0.1', resolve)
    })
  }

  #closed(): Promise<void> {
    if (!this.#server.listening) return Promise.resolve()
    return new Promise(resolve => this.#server.close(() => resolve()))
  }

  #take(client: Socket): void {
    const pair: Pair = {
      client,
      server: this.dark ? undefined : connect(this.#target, '127.0.0.1'),
      dead: this.dark,
    }
    const { server } = pair
    this.#pairs.add(pair)
    client.on('error', () => client.destroy())
    client.on('close', () => this.#pairs.delete(pair))
    if (server === undefined) {
      client.resume()
      return
    }
    server.on('error', () => server.destroy())
    this.#pump(pair, client, server, false)
    this.#pump(pair, server, client, true)
  }

  /** One piece at a time, so that a slow reader slows the writer. */
  #pump(pair: Pair, from: Socket, to: Socket, isDown: boolean): void {
    let carried: Promise<void> = Promise.resolve()
    from.on('data', chunk => {
      const bytes = Buffer.from(chunk)
      this.onBytes(bytes, isDown ? 'server' : 'client', pair.client)
      from.pause()
      carried = this.#carry(pair, bytes, to, isDown).then(() => {
        from.resume()
      })
    })
    from.on('close', () => {
      const end = (): void => {
        if (!pair.dead) to.destroySoon()
        // Of a half-open connection the server's side must not stay when the client has given up.
        else if (!isDown) to.destroy()
      }
      void carried.then(end)
    })
  }

  async #carry(pair: Pair, chunk: Buffer, to: Socket, isDown: boolean): Promise<void> {
    if (this.delayMs > 0) await sleep(systemClock, this.delayMs)
    if (this.#held !== undefined) await this.#held
    if (pair.dead || (isDown && this.deaf)) return
    if (isDown && this.#resetAfter !== undefined) {
      this.#resetAfter -= chunk.length
      if (this.#resetAfter <= 0) {
        to.write(chunk.subarray(0, chunk.length + this.#resetAfter))
        this.#resetAfter = undefined
        pair.client.resetAndDestroy()
        pair.server?.resetAndDestroy()
        return
      }
    }
    for (let at = 0; at < chunk.length && !to.destroyed; ) {
      const size = Math.max(1, Math.floor(Math.min(this.bytesPerSecond / PIECES, chunk.length)))
      to.write(chunk.subarray(at, at + size))
      at += size
      if (at < chunk.length) await sleep(systemClock, 1000 / PIECES)
    }
  }
}

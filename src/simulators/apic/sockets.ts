/** The notification sockets: `wss://HOST/socketTOKEN`, one way, for one session each. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Time } from '../server.ts'
import type { Knobs } from './knobs.ts'
import { readOptions } from './query.ts'
import type { ApicRecord, SocketRecord } from './record.ts'
import type { Session } from './sessions.ts'

export interface SimSocket {
  readonly session: Session
  readonly ws: WebSocket
  readonly log: SocketRecord
  /** Open for the client, but nothing is sent and nothing read. */
  silent: boolean
  /** The controller lost it: it is open and answers pings, and subscribing does not find it. */
  forgotten: boolean
}

export interface SocketOptions {
  readonly time: Time
  readonly knobs: Knobs
  readonly record: ApicRecord
  /** The session of a token, or undefined. */
  readonly resolve: (token: string) => Session | undefined
  /** Nothing but 503 to be had. */
  readonly refuses: () => boolean
  readonly onGone: (socket: SimSocket) => void
  readonly onForgotten: (socket: SimSocket) => void
}

export class Sockets {
  readonly #options: SocketOptions
  readonly #server = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false })
  readonly #open = new Set<SimSocket>()
  readonly #cancels = new Set<() => void>()
  /** Handshakes are left hanging. */
  dark = false

  constructor(options: SocketOptions) {
    this.#options = options
  }

  get open(): Iterable<SimSocket> {
    return this.#open
  }

  /** The newest socket of a session that subscribing finds. */
  of(session: Session): SimSocket | undefined {
    return [...this.#open].findLast(socket => socket.session === session && !socket.forgotten)
  }

  /**
   * A handshake. The path is compared as it came over the wire: nothing stands between `socket` and the token, and a
   * percent-encoded token is a wrong one.
   */
  upgrade(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { latencyMs } = this.#options.knobs
    stream.on('error', () => stream.destroy())
    if (this.dark) return
    if (latencyMs === 0) this.#answer(request, stream, head)
    else this.#after(latencyMs, () => !this.dark && !stream.destroyed && this.#answer(request, stream, head))
  }

  #answer(request: IncomingMessage, stream: Duplex, head: Buffer): void {
    const { knobs, record, time, refuses } = this.#options
    const path = request.url ?? ''
    const session = this.#sessionOf(request)
    const status = refuses() ? 503 : (knobs.refuseSockets ?? (session === undefined ? 403 : undefined))
    if (status !== undefined || session === undefined) {
      record.refusedSockets.push({ at: time.wall(), status: status ?? 403, path })
      stream.end(`HTTP/1.1 ${status ?? 403} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    this.#server.handleUpgrade(request, stream, head, ws => this.#accept(ws, session))
  }

  #sessionOf(request: IncomingMessage): Session | undefined {
    const match = /^\/socket([^?]*)(?:\?(.*))?$/.exec(request.url ?? '')
    if (match === null) return undefined
    const session = this.#options.resolve(match[1] ?? '')
    if (session?.challenge === undefined || !this.#options.knobs.socketsNeedChallenge) return session
    const options = readOptions(match[2] ?? '')
    const given = request.headers['apic-challenge'] ?? options.get('url-token') ?? options.get('challenge')
    return given === session.challenge ? session : undefined
  }

  /** Sends one frame, of text unless told otherwise, or swallows it where the socket is dead to the client. */
  send(socket: SimSocket, content: string | Uint8Array, binary = false): void {
    if (socket.silent || socket.forgotten || socket.ws.readyState !== socket.ws.OPEN) {
      socket.log.swallowed++
      return
    }
    socket.log.frames++
    socket.ws.send(content, { binary })
  }

  /** Half-open: the connection stands, and nothing goes over it in either direction. */
  silence(socket: SimSocket): void {
    socket.silent = true
    socket.ws.pause()
  }

  /** The controller loses it without closing it. */
  forget(socket: SimSocket): void {
    socket.forgotten = true
    this.#options.onForgotten(socket)
  }

  /** Tears connections down without a close frame. */
  cut(which: (socket: SimSocket) => boolean = () => true): void {
    for (const socket of [...this.#open]) if (which(socket)) socket.ws.terminate()
  }

  /** Ends connections properly. */
  dismiss(socket: SimSocket): void {
    socket.ws.close(1000)
  }

  close(): void {
    for (const cancel of this.#cancels) cancel()
    this.#cancels.clear()
    this.cut()
    this.#server.close()
  }

  #accept(ws: WebSocket, session: Session): void {
    const { time, record, knobs, onGone } = this.#options
    const log: SocketRecord = {
      sessionId: session.id,
      openedAt: time.wall(),
      frames: 0,
      swallowed: 0,
      fromClient: 0,
      pings: 0,
    }
    record.sockets.push(log)
    const socket: SimSocket = { session, ws, log, silent: false, forgotten: false }
    this.#open.add(socket)
    const { forgetSocketsAfterMs: lost } = knobs
    const keep = lost === undefined ? undefined : this.#after(lost, () => this.forget(socket))
    ws.on('error', () => ws.terminate())
    ws.on('message', () => {
      log.fromClient++
    })
    ws.on('ping', data => {
      log.pings++
      if (knobs.answerPings && !socket.silent) ws.pong(data)
    })
    ws.on('close', () => {
      log.closedAt = time.wall()
      this.#open.delete(socket)
      keep?.()
      onGone(socket)
    })
  }

  /** Does something later, unless all is closed before; gives the way to stop it. */
  #after(ms: number, fn: () => void): () => void {
    const stop = this.#options.time.after(ms, () => {
      this.#cancels.delete(cancel)
      fn()
    })
    const cancel = (): void => {
      this.#cancels.delete(cancel)
      stop()
    }
    this.#cancels.add(cancel)
    return cancel
  }
}

/** The notification sockets: `wss://HOST/socketTOKEN`, one way, for one session each. */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Time } from '../server.ts'
import type { Knobs } from './knobs.ts'
import type { ApicRecord, SocketRecord } from './record.ts'
import type { Session } from './sessions.ts'

export interface SimSocket {
  readonly session: Session
  readonly ws: WebSocket
  readonly log: SocketRecord
  /** Open for the client, but nothing is sent and nothing read. */
  silent: boolean
  /** The controller lost it: it is open, and subscribing does not find it. */
  forgotten: boolean
}

export interface SocketOptions {
  readonly time: Time
  readonly knobs: Knobs
  readonly record: ApicRecord
  /** The session of a token, or undefined. */
  readonly resolve: (token: string) => Session | undefined
  readonly onGone: (socket: SimSocket) => void
}

export class Sockets {
  readonly #options: SocketOptions
  readonly #server = new WebSocketServer({ noServer: true, perMessageDeflate: false, autoPong: false })
  readonly #open = new Set<SimSocket>()
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
    const { knobs, record, time, resolve } = this.#options
    stream.on('error', () => stream.destroy())
    if (this.dark) return
    const path = request.url ?? ''
    const session = path.startsWith('/socket') ? resolve(path.slice('/socket'.length)) : undefined
    const status = knobs.refuseSockets ?? (session === undefined ? 403 : undefined)
    if (status !== undefined || session === undefined) {
      record.refusedSockets.push({ at: time.wall(), status: status ?? 403, path })
      stream.end(`HTTP/1.1 ${status ?? 403} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
      return
    }
    this.#server.handleUpgrade(request, stream, head, ws => this.#accept(ws, session))
  }

  /** Sends one frame, or swallows it where the socket is dead to the client. */
  send(socket: SimSocket, text: string): void {
    if (socket.silent || socket.forgotten || socket.ws.readyState !== socket.ws.OPEN) {
      socket.log.swallowed++
      return
    }
    socket.log.frames++
    socket.ws.send(text)
  }

  /** Half-open: the connection stands, and nothing goes over it in either direction. */
  silence(socket: SimSocket): void {
    socket.silent = true
    socket.ws.pause()
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
      onGone(socket)
    })
  }
}

/** The WebSocket of one session: opened before the first subscription, read only, never trusted to tell of its own death. */
import { TLSSocket } from 'node:tls'
import { WebSocket } from 'ws'
import type { TlsConfig } from '../../config/sources.ts'
import { describe, Fatal, Retryable } from '../../errors.ts'
import type { Cancel, Clock } from '../../scheduler/clock.ts'
import { checkPeer, isUntrusted, tlsOptions } from '../tls.ts'

export interface SocketOptions {
  readonly url: string
  /** Sent with the handshake. */
  readonly headers?: Readonly<Record<string, string>>
  readonly tls: TlsConfig
  readonly clock: Clock
  readonly timeoutMs: number
  /** How often a ping is sent. */
  readonly pingMs: number
  readonly onFrame: (text: string) => void
  /** Called once, when the socket is gone or has stopped to answer; never after `close()`. */
  readonly onLost: (error: Error) => void
  readonly signal: AbortSignal
}

/** Frames of a class-wide burst reach megabytes (reference a6). */
const MAX_FRAME_BYTES = 256 * 1024 * 1024

export class ApicSocket {
  readonly #options: SocketOptions
  readonly #ws: WebSocket
  readonly #opened = Promise.withResolvers<void>()
  #isOpen = false
  #cancelPing: Cancel | undefined
  /** Whether this server answers pings at all: nobody has written down that every APIC does (reference a6). */
  #answersPings = false
  #pongDue = false
  #over = false

  private constructor(options: SocketOptions) {
    this.#options = options
    // No compression is offered, no redirect followed; the TLS options go to tls.connect.
    const ws = new WebSocket(options.url, {
      headers: { ...options.headers },
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      // A text cut within a character would end the socket; so it is one message with an odd character in it.
      skipUTF8Validation: true,
      followRedirects: false,
      handshakeTimeout: options.timeoutMs,
      ...tlsOptions(options.tls),
    })
    this.#ws = ws
    // For the socket's whole life, from before it is open: what follows the handshake may come in the same packet.
    ws.on('error', error => this.#lost(errorOf(error, this.#isOpen)))
    ws.on('close', (code: number) =>
      this.#lost(new Retryable('socket_lost', `socket closed by the controller (${code})`)),
    )
    ws.on('upgrade', response => {
      // For a peer that answers no pings. Between two of them: a probe is only sent when nothing else is unanswered.
      response.socket.setKeepAlive(true, options.pingMs / 4)
      try {
        if (response.socket instanceof TLSSocket) checkPeer(response.socket, options.tls)
      } catch (error) {
        this.#lost(error as Error)
      }
    })
    ws.on('open', () => {
      this.#isOpen = true
      this.#opened.resolve()
    })
    ws.on('message', (data: Buffer) => options.onFrame(data.toString('utf8')))
    ws.on('pong', () => {
      this.#answersPings = true
      this.#pongDue = false
    })
  }

  /**
   * Resolves when the socket is open. The session's cookie is not needed on the handshake of a password session.
   * Throws `Fatal('tls')`, `Retryable('socket_lost')`, or the signal's reason.
   */
  static async open(options: SocketOptions): Promise<ApicSocket> {
    options.signal.throwIfAborted()
    const socket = new ApicSocket(options)
    const onAbort = (): void => socket.#lost(options.signal.reason as Error)
    options.signal.addEventListener('abort', onAbort, { once: true })
    try {
      await socket.#opened.promise
    } finally {
      options.signal.removeEventListener('abort', onAbort)
    }
    // At once: the sooner it is known whether this server answers, the sooner its silence means something.
    socket.#ws.ping()
    socket.#schedulePing()
    return socket
  }

  get paused(): boolean {
    return this.#ws.isPaused
  }

  /** Stops reading: the controller's send buffer fills, nothing is lost on the way. Ping liveness is suspended. */
  pause(): void {
    this.#ws.pause()
  }

  /** Reads on, and demands a pong: the other side may have given up meanwhile. */
  resume(): void {
    this.#ws.resume()
    if (!this.#isOpen || this.#over) return
    this.#pongDue = true
    this.#ws.ping()
    // A whole turn for the answer: it comes behind everything that was held back.
    this.#cancelPing?.()
    this.#schedulePing()
  }

  /** Ends the socket at once; nothing is called any more. Idempotent. */
  close(): void {
    this.#over = true
    this.#cancelPing?.()
    this.#ws.terminate()
  }

  #lost(error: Error): void {
    if (this.#over) return
    this.close()
    if (this.#isOpen) this.#options.onLost(error)
    else this.#opened.reject(error)
  }

  #schedulePing(): void {
    const { clock, pingMs } = this.#options
    this.#cancelPing = clock.after(pingMs, () => {
      if (this.#over) return
      if (!this.#ws.isPaused) {
        if (this.#pongDue && this.#answersPings) {
          this.#lost(new Retryable('socket_lost', `socket: no pong within ${pingMs / 1000} s`))
          return
        }
        this.#pongDue = true
        this.#ws.ping()
      }
      this.#schedulePing()
    })
  }
}

function errorOf(error: Error, open: boolean): Error {
  if (isUntrusted(error)) {
    const advice = 'socket: certificate not trusted; set tls.ca_file or tls.fingerprint_sha256'
    return new Fatal('tls', advice, { cause: error })
  }
  return new Retryable('socket_lost', `socket${open ? '' : ' refused'}: ${describe(error)}`, { cause: error })
}

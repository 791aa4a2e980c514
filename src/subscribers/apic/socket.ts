/** The WebSocket of one session: opened before the first subscription, read only, never trusted to tell of its own death. */
import type { TLSSocket } from 'node:tls'
import { WebSocket } from 'ws'
import type { TlsConfig } from '../../config/sources.ts'
import { describe, Fatal, Retryable } from '../../errors.ts'
import type { Cancel, Clock } from '../../scheduler/clock.ts'
import { checkPeer, isUntrusted, tlsOptions } from '../tls.ts'

export interface SocketOptions {
  readonly url: string
  readonly tls: TlsConfig
  readonly clock: Clock
  readonly timeoutMs: number
  readonly onFrame: (text: string) => void
  /** Called once, when the socket is gone or has stopped to answer; never after `close()`. */
  readonly onLost: (error: Error) => void
  readonly signal: AbortSignal
}

/** How often a ping is sent. */
const PING_MS = 15_000
/** Frames of a class-wide burst reach megabytes (reference a6). */
const MAX_FRAME_BYTES = 256 * 1024 * 1024

export class ApicSocket {
  readonly #options: SocketOptions
  readonly #ws: WebSocket
  #cancelPing: Cancel | undefined
  /** Whether this server answers pings at all: nobody has written down that every APIC does (reference a6). */
  #answersPings = false
  #pongDue = false
  #over = false

  private constructor(options: SocketOptions, ws: WebSocket) {
    this.#options = options
    this.#ws = ws
    ws.on('message', (data: Buffer) => options.onFrame(data.toString('utf8')))
    ws.on('pong', () => {
      this.#answersPings = true
      this.#pongDue = false
    })
    ws.on('error', error => this.#lost(new Retryable('socket_lost', `socket: ${describe(error)}`, { cause: error })))
    ws.on('close', (code: number) =>
      this.#lost(new Retryable('socket_lost', `socket closed by the controller (${code})`)),
    )
    this.#schedulePing()
  }

  /**
   * Resolves when the socket is open. The session's cookie is not needed on the handshake of a password session.
   * Throws `Fatal('tls')`, `Retryable('socket_lost' | 'timeout')`.
   */
  static async open(options: SocketOptions): Promise<ApicSocket> {
    // `rejectUnauthorized` and friends go to tls.connect; no compression is offered, no redirect followed.
    const ws = new WebSocket(options.url, {
      perMessageDeflate: false,
      maxPayload: MAX_FRAME_BYTES,
      followRedirects: false,
      handshakeTimeout: options.timeoutMs,
      ...tlsOptions(options.tls),
    })
    await new Promise<void>((resolve, reject) => {
      const fail = (error: Error): void => {
        forget()
        ws.on('error', () => undefined)
        ws.terminate()
        reject(error)
      }
      const onAbort = (): void => fail(options.signal.reason as Error)
      const onError = (error: Error): void =>
        fail(
          isUntrusted(error)
            ? new Fatal('tls', 'socket: certificate not trusted; set tls.ca_file or tls.fingerprint_sha256', {
                cause: error,
              })
            : new Retryable('socket_lost', `socket refused: ${describe(error)}`, { cause: error }),
        )
      const onUpgrade = (response: { socket: unknown }): void => {
        try {
          if ((response.socket as TLSSocket).encrypted === true) checkPeer(response.socket as TLSSocket, options.tls)
        } catch (error) {
          fail(error as Error)
        }
      }
      const onOpen = (): void => {
        forget()
        resolve()
      }
      const forget = (): void => {
        options.signal.removeEventListener('abort', onAbort)
        ws.off('error', onError)
        ws.off('upgrade', onUpgrade)
        ws.off('open', onOpen)
      }
      if (options.signal.aborted) return onAbort()
      options.signal.addEventListener('abort', onAbort, { once: true })
      ws.on('error', onError)
      ws.on('upgrade', onUpgrade)
      ws.on('open', onOpen)
    })
    return new ApicSocket(options, ws)
  }

  get paused(): boolean {
    return this.#ws.isPaused
  }

  /** Stops reading: the controller's send buffer fills, nothing is lost on the way. Ping liveness is suspended. */
  pause(): void {
    this.#ws.pause()
  }

  resume(): void {
    this.#pongDue = false
    this.#ws.resume()
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
    this.#options.onLost(error)
  }

  #schedulePing(): void {
    this.#cancelPing = this.#options.clock.after(PING_MS, () => {
      if (this.#over) return
      if (!this.#ws.isPaused) {
        if (this.#pongDue && this.#answersPings) {
          this.#lost(new Retryable('socket_lost', `socket: no pong within ${PING_MS / 1000} s`))
          return
        }
        this.#pongDue = true
        this.#ws.ping()
      }
      this.#schedulePing()
    })
  }
}

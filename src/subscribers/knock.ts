/** Whether an address takes connections, and how it proves who it is: before anything is said to it. */
import { isIP, connect as tcpConnect } from 'node:net'
import { TLSSocket, connect as tlsConnect } from 'node:tls'
import type { TlsConfig } from '../config/sources.ts'
import { describe, Fatal, Retryable } from '../errors.ts'
import type { Found } from '../probe.ts'
import type { Clock } from '../scheduler/clock.ts'
import { checkPeer, isUntrusted, tlsOptions } from './tls.ts'

/** A certificate that ends sooner is worth a word, ms. */
const SOON_MS = 14 * 86_400_000

export interface KnockOptions {
  readonly tls: TlsConfig
  readonly timeoutMs: number
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Connects, checks the certificate and hangs up. Says what was found. Throws `Fatal('tls')`, `Retryable('unreachable')`
 * or `Retryable('timeout')`.
 */
export async function knock(address: string, { tls, timeoutMs, clock, signal }: KnockOptions): Promise<Found> {
  const url = new URL(address)
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const secure = url.protocol === 'https:'
  const port = url.port === '' ? (secure ? 443 : 80) : Number(url.port)
  const name = isIP(host) === 0 ? { servername: host } : {}
  const socket = secure ? tlsConnect({ host, port, ...tlsOptions(tls), ...name }) : tcpConnect(port, host)
  const end = Promise.withResolvers<void>()
  const onAbort = (): void => end.reject(signal.reason)
  const cancel = clock.after(timeoutMs, () =>
    end.reject(new Retryable('timeout', `${url.origin}: no connection within ${Math.round(timeoutMs / 1000)} s`)),
  )
  socket.once(secure ? 'secureConnect' : 'connect', () => end.resolve())
  socket.on('error', error => end.reject(error))
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    signal.throwIfAborted()
    await end.promise
    if (!(socket instanceof TLSSocket)) return { warning: 'NOT encrypted: anyone on the way can read the password' }
    return said(socket.getProtocol(), checkPeer(socket, tls), tls, clock.wall())
  } catch (error) {
    if (error instanceof Fatal || error instanceof Retryable || signal.aborted) throw error
    if (isUntrusted(error)) {
      // Behind the semicolon Node advises its own developers.
      const [why] = describe(error).split(';')
      throw new Fatal('tls', `${url.origin}: certificate not trusted: ${why}`)
    }
    throw new Retryable('unreachable', `${url.origin}: no connection`, { cause: error })
  } finally {
    cancel()
    signal.removeEventListener('abort', onAbort)
    socket.destroy()
  }
}

function said(protocol: string | null, endsMs: number | undefined, tls: TlsConfig, wallMs: number): Found {
  const until = endsMs === undefined ? '' : `, certificate until ${new Date(endsMs).toISOString().slice(0, 10)}`
  const text = `${protocol ?? 'TLS'}${until}`
  if (!tls.verify && tls.fingerprint_sha256 === null) return { warning: `${text}, NOT verified (tls.verify: false)` }
  if (endsMs !== undefined && endsMs - wallMs < SOON_MS) return { warning: `${text}: that is soon` }
  return text
}

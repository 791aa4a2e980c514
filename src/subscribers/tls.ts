/** TLS to a source, for HTTP and WebSocket alike: verified by default, own CA, or one pinned certificate. */
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import type { TlsConfig } from '../config/sources.ts'
import { Fatal, fileError } from '../errors.ts'

/** Options for `tls.connect`. Throws `fileError('tls')` when the CA file can't be read. */
export function tlsOptions(tls: TlsConfig): ConnectionOptions {
  // With a pin the signer does not matter, the certificate does: `checkPeer` compares it before a byte is sent.
  const options: ConnectionOptions = { rejectUnauthorized: tls.verify && tls.fingerprint_sha256 === null }
  if (tls.ca_file !== null) {
    try {
      options.ca = readFileSync(tls.ca_file, 'utf8')
    } catch (error) {
      throw fileError('tls', `can't read tls.ca_file ${tls.ca_file}`, error)
    }
  }
  return options
}

/**
 * Checks the pin on a secured socket and returns when the certificate ends (ms), or undefined without one.
 * Throws `Fatal('tls')` unless the peer's certificate is the pinned one.
 */
export function checkPeer(socket: TLSSocket, tls: TlsConfig): number | undefined {
  const raw = socket.getPeerCertificate(false).raw as Buffer | undefined
  if (tls.fingerprint_sha256 !== null) {
    const wanted = tls.fingerprint_sha256.replaceAll(':', '').toLowerCase()
    const seen = raw === undefined ? 'none' : createHash('sha256').update(raw).digest('hex')
    if (seen !== wanted) {
      throw new Fatal('tls', `the certificate's fingerprint is ${seen}, but tls.fingerprint_sha256 wants ${wanted}`)
    }
  }
  return raw === undefined ? undefined : new X509Certificate(raw).validToDate.getTime()
}

/** Error codes of Node's TLS that mean "this certificate is not trusted", as against "the wire broke". */
const UNTRUSTED = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY)|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA)/

/** True when the other side's certificate was refused: no retry helps, a person must act. */
export function isUntrusted(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code
  return typeof code === 'string' && UNTRUSTED.test(code)
}

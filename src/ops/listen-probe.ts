/** Whether the daemon could listen where it is told to: for `check --connect`. */
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createServer } from 'node:net'
import type { HttpConfig } from '../config/schema.ts'
import { Fatal, Retryable } from '../errors.ts'
import type { Found } from '../probe.ts'
import { address, LISTEN_ERRORS } from './http.ts'

const TIMEOUT_MS = 2000

/** Listens for a moment. A port that a running opswire has is fine. Throws `Fatal('config')`, `Retryable('unreachable')`. */
export async function probeListen({ listen, tls }: HttpConfig): Promise<Found> {
  const { host, port } = address(listen)
  const code = await new Promise<string | undefined>(resolve => {
    const server = createServer()
    server.once('error', error => resolve(String((error as { code?: unknown }).code)))
    server.listen(port, host, () => server.close(() => resolve(undefined)))
  })
  if (code === undefined) return 'free'
  if (code === 'EADDRINUSE' && (await isOpswire(host, port, tls !== null)))
    return 'taken by an opswire that runs already'
  const why = LISTEN_ERRORS[code] ?? `it does not work (${code})`
  if (code === 'EADDRINUSE' || code === 'EADDRNOTAVAIL') throw new Retryable('unreachable', why)
  throw new Fatal('config', why)
}

/** Asked without a secret, and nothing hangs from the answer: whose certificate it is does not matter. */
function isOpswire(host: string, port: number, isTls: boolean): Promise<boolean> {
  return new Promise(resolve => {
    const request = isTls ? httpsRequest : httpRequest
    const to = { host, port, path: '/-/healthy', agent: false, timeout: TIMEOUT_MS, rejectUnauthorized: false }
    const call = request(to, answer => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        if (body.length < 1000) body += chunk
      })
      answer.on('end', () => resolve(/"lagSeconds":/.test(body)))
    })
    call.on('timeout', () => call.destroy())
    call.on('error', () => resolve(false))
    call.end()
  })
}

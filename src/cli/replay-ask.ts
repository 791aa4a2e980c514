/** Asks the running daemon for a replay, and reads its answer line by line. */
import { request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { createInterface } from 'node:readline'
import type { HttpConfig } from '../config/schema.ts'
import { Fatal, Retryable } from '../errors.ts'
import { address } from '../ops/http.ts'
import { readKeyFile, readToken } from '../ops/http-access.ts'
import type { Line, Summary } from '../replay/wish.ts'

const CONNECT_MS = 5000
const MOST_BYTES = 64 * 1024

export interface Asking {
  readonly config: HttpConfig
  /** As `POST /-/replay` takes it. */
  readonly body: object
  readonly signal: AbortSignal
  readonly tell: (line: Line) => Promise<void>
}

/**
 * The daemon's summary; undefined when nobody listens there. Throws `Fatal` and `Retryable` for what it refuses. When the signal
 * aborts, the daemon cancels what it does, and this rejects with the reason.
 */
export async function askDaemon({ config, body, signal, tell }: Asking): Promise<Summary | undefined> {
  const { host, port } = address(config.listen)
  // With port 0 nobody but the daemon's log knows where it listens.
  if (port === 0) return undefined
  const text = JSON.stringify(body)
  const token = config.token_file === null ? undefined : await readToken(config.token_file)
  const headers = {
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  }
  const where = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  const common = {
    host: where,
    port,
    path: '/-/replay',
    method: 'POST',
    headers,
    agent: false,
    signal,
    timeout: CONNECT_MS,
  }
  // The certificate in the config is the daemon's own: nobody else can show it, whatever name it has.
  const tls =
    config.tls === null
      ? undefined
      : {
          ca: await readKeyFile(config.tls.cert_file, 'http.tls.cert_file'),
          allowPartialTrustChain: true,
          checkServerIdentity: () => undefined,
        }
  const answer = await new Promise<IncomingMessage | undefined>((resolve, reject) => {
    let answered = false
    const take = (answer: IncomingMessage): void => {
      answered = true
      resolve(answer)
    }
    const call = tls === undefined ? httpRequest(common, take) : httpsRequest({ ...common, ...tls }, take)
    call.on('timeout', () => {
      // Between the lines of an answer it may be quiet for long.
      if (!answered) call.destroy(new Retryable('timeout', `nothing answers at ${config.listen}`))
    })
    call.on('error', (error: NodeJS.ErrnoException) => {
      if (signal.aborted) reject(signal.reason)
      else if (error.code === 'ECONNREFUSED' || error.code === 'EADDRNOTAVAIL') resolve(undefined)
      else
        reject(
          error instanceof Retryable
            ? error
            : new Retryable('unreachable', `http.listen ${config.listen}`, { cause: error }),
        )
    })
    call.end(text)
  })
  if (answer === undefined) return undefined
  if (answer.statusCode !== 200) throw await refusalOf(answer, config)
  let summary: Summary | undefined
  try {
    for await (const line of createInterface({ input: answer })) {
      const read = JSON.parse(line) as Line
      if (read.type === 'end') summary = read
      else await tell(read)
    }
  } catch (error) {
    if (signal.aborted) throw signal.reason
    throw new Retryable('unreachable', 'the daemon broke off', { cause: error })
  }
  if (signal.aborted) throw signal.reason
  if (summary === undefined)
    throw new Retryable('unreachable', 'the daemon ended before the replay did; what it had found is in its store')
  return summary
}

async function refusalOf(answer: IncomingMessage, config: HttpConfig): Promise<Error> {
  let text = ''
  for await (const part of answer.setEncoding('utf8')) if (text.length < MOST_BYTES) text += String(part)
  const status = answer.statusCode ?? 0
  if (status === 401 || status === 403) {
    const why =
      config.token_file === null
        ? 'it asks for a token: see http.token_file'
        : 'it takes another token than http.token_file has'
    return new Fatal('auth_refused', `the daemon at ${config.listen} refuses: ${why}`)
  }
  let problem: unknown
  try {
    problem = (JSON.parse(text) as { problem?: unknown }).problem
  } catch {
    problem = undefined
  }
  if (typeof problem !== 'string') {
    return new Retryable(
      'protocol',
      `what listens at ${config.listen} answers HTTP ${status}, not as an opswire daemon of this version does`,
    )
  }
  return status === 422 || status === 400 ? new Fatal('config', problem) : new Retryable('unreachable', problem)
}

/** `opswire status`: the daemon's `/status` as a page for a terminal. */
import { readFile } from 'node:fs/promises'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { StatusDocument } from '../ops/status.ts'
import { sleep, systemClock } from '../scheduler/clock.ts'
import { readArguments } from './arguments.ts'
import { type CliIo, EXIT, painter, UsageError } from './io.ts'
import { stopSignals } from './signals.ts'
import { statusPage } from './status-page.ts'

const DEFAULT_URL = 'http://127.0.0.1:9469'
const TIMEOUT_MS = 5_000
const AGAIN_MS = 2_000
/** More than this is not a status document. */
const MOST_BYTES = 16 * 1024 * 1024

export async function run(args: string[], io: CliIo): Promise<number> {
  const given = readArguments('status', args)
  const url = statusUrl(given.text('url') ?? DEFAULT_URL)
  const headers = await headersOf(given.text('token-file'))
  if (given.has('watch')) return watch({ url, headers }, given.has('json'), io)
  return (await show({ url, headers }, given.has('json'), io)) ? EXIT.ok : EXIT.unavailable
}

/** Where to ask, and as whom. */
interface Asked {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
}

async function headersOf(tokenFile: string | undefined): Promise<Readonly<Record<string, string>>> {
  if (tokenFile === undefined) return {}
  try {
    return { authorization: `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}` }
  } catch (error) {
    throw new UsageError(`--token-file: can't read ${tokenFile} (${(error as { code?: string }).code})`, 'status')
  }
}

/** Page after page until it is stopped; that is how it ends well. */
async function watch(asked: Asked, json: boolean, given: CliIo): Promise<number> {
  const signals = given.signal === undefined ? stopSignals() : undefined
  const io = signals === undefined ? given : { ...given, signal: signals.stop }
  const clock = io.clock ?? systemClock
  for (;;) {
    // On a terminal each page takes the place of the last one; in a pipe they follow each other.
    if (io.isTty) io.stdout.write('\x1b[H\x1b[2J')
    await show(asked, json, io)
    try {
      await sleep(clock, AGAIN_MS, io.signal)
    } catch {
      signals?.forget()
      return EXIT.ok
    }
    if (!io.isTty && !json) io.stdout.write('\n')
  }
}

/** Prints one page, or on stderr why there is none. False when there is none. */
async function show(asked: Asked, json: boolean, io: CliIo): Promise<boolean> {
  let status: StatusDocument
  try {
    status = await fetchStatus(asked, io.signal)
  } catch (error) {
    if (io.signal?.aborted === true) return false
    const reason = error instanceof Unavailable ? error.message : String(error)
    io.stderr.write(`opswire status: ${reason}\n`)
    return false
  }
  // In a pipe nothing is cut: whoever pages or searches it wants all of it.
  const size = io.isTty ? io : { columns: Number.POSITIVE_INFINITY }
  // One document a line under --watch would help nobody who reads; scripts read it either way.
  io.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : statusPage(status, size, painter(io)))
  return true
}

/** What is at that address is not a daemon that answers. */
class Unavailable extends Error {}

function statusUrl(text: string): URL {
  const whole = /^https?:\/\//i.test(text) ? text : `http://${text}`
  if (!URL.canParse(whole)) throw new UsageError(`--url: "${text}" is not a URL`, 'status')
  const url = new URL(whole)
  if (!url.pathname.endsWith('/status')) url.pathname = `${url.pathname.replace(/\/+$/, '')}/status`
  return url
}

function fetchStatus({ url, headers }: Asked, signal: AbortSignal | undefined): Promise<StatusDocument> {
  const where = `${url.protocol}//${url.host}`
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Unavailable(why))
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest
    const call = request(
      url,
      {
        agent: false,
        timeout: TIMEOUT_MS,
        headers: { ...headers, accept: 'application/json' },
        ...(signal && { signal }),
      },
      answer => {
        const chunks: Buffer[] = []
        let bytes = 0
        answer.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > MOST_BYTES) call.destroy(new Error('the answer is too large'))
          else chunks.push(chunk)
        })
        answer.on('error', error => fail(`${where} broke off: ${error.message}`))
        answer.on('end', () => {
          const status = parseStatus(Buffer.concat(chunks).toString('utf8'))
          if (answer.statusCode === 401)
            fail(
              `${where} ${headers['authorization'] === undefined ? 'wants a token: --token-file FILE' : 'takes another token than this one'}`,
            )
          else if (answer.statusCode !== 200)
            fail(`${where} answers HTTP ${answer.statusCode}; is that an opswire daemon?`)
          else if (status === undefined) fail(`${where} answers, but not as an opswire daemon does`)
          else resolve(status)
        })
      },
    )
    call.on('timeout', () => call.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)))
    call.on('error', error => {
      const code = (error as { code?: unknown }).code
      const refused =
        code === 'ECONNREFUSED' ? `nothing listens at ${where}` : `${where}: ${error.message || String(code)}`
      fail(`${refused}; is the daemon running, with http.listen at this address? (--url URL)`)
    })
    call.end()
  })
}

function parseStatus(text: string): StatusDocument | undefined {
  try {
    const document = JSON.parse(text) as Partial<StatusDocument> | null
    const known = typeof document?.state === 'string' && Array.isArray(document.sources)
    return known ? (document as StatusDocument) : undefined
  } catch {
    return undefined
  }
}

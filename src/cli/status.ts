/** `opswire status`: the daemon's `/status` as a page for a terminal. */
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { StatusDocument } from '../ops/status.ts'
import { sleep, systemClock } from '../scheduler/clock.ts'
import { readArguments } from './arguments.ts'
import { type CliIo, EXIT, painter, UsageError } from './io.ts'
import { statusPage } from './status-page.ts'

const DEFAULT_URL = 'http://127.0.0.1:9469'
const TIMEOUT_MS = 5_000
const AGAIN_MS = 2_000
/** More than this is not a status document. */
const MOST_BYTES = 16 * 1024 * 1024

export async function run(args: string[], io: CliIo): Promise<number> {
  const given = readArguments('status', args)
  const url = statusUrl(given.text('url') ?? DEFAULT_URL)
  if (!given.has('watch')) return (await show(url, given.has('json'), io)) ? EXIT.ok : EXIT.unavailable
  const clock = io.clock ?? systemClock
  for (;;) {
    // On a terminal each page takes the place of the last one; in a pipe they follow each other.
    if (io.isTty) io.stdout.write('\x1b[H\x1b[2J')
    await show(url, given.has('json'), io)
    try {
      await sleep(clock, AGAIN_MS, io.signal)
    } catch {
      return EXIT.ok
    }
    if (!io.isTty && !given.has('json')) io.stdout.write('\n')
  }
}

/** Prints one page, or on stderr why there is none. False when there is none. */
async function show(url: URL, json: boolean, io: CliIo): Promise<boolean> {
  let status: StatusDocument
  try {
    status = await fetchStatus(url, io.signal)
  } catch (error) {
    const reason = error instanceof Unavailable ? error.message : String(error)
    io.stderr.write(`opswire status: ${reason}\n`)
    return false
  }
  // One document a line under --watch would help nobody who reads; scripts read it either way.
  io.stdout.write(json ? `${JSON.stringify(status, null, 2)}\n` : statusPage(status, io, painter(io)))
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

function fetchStatus(url: URL, signal: AbortSignal | undefined): Promise<StatusDocument> {
  const where = `${url.protocol}//${url.host}`
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Unavailable(why))
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest
    const call = request(
      url,
      { agent: false, timeout: TIMEOUT_MS, headers: { accept: 'application/json' }, ...(signal && { signal }) },
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
          if (answer.statusCode !== 200) fail(`${where} answers HTTP ${answer.statusCode}; is that an opswire daemon?`)
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

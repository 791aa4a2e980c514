/** Fetches a file over HTTP(S): redirects, the proxy of the environment, limits on every wait. */
import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { Agent as HttpAgent, get as httpGet, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, get as httpsGet } from 'node:https'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../scheduler/clock.ts'

/** Longest wait for the first byte of an answer, and between two pieces of it. */
const SILENCE_MS = 15_000
const MAX_REDIRECTS = 5
const MAX_BYTES = 256 * 1024 * 1024

/**
 * Writes what `url` gives to `file` and resolves with its SHA-256 in hex. Rejects on any status but 200, on 15 s of
 * silence, above 256 MiB, and when the connection fails; `file` may then hold a part. Honours HTTP_PROXY, HTTPS_PROXY
 * and NO_PROXY. Leaves no connection open.
 */
export async function download(clock: Clock, url: string, file: string): Promise<string> {
  const quiet = new Silence(clock)
  try {
    const response = await follow(url, quiet)
    const hash = createHash('sha256')
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      quiet.heard()
      hash.update(chunk)
      bytes += chunk.length
      if (bytes > MAX_BYTES) response.destroy(new Error(`more than ${MAX_BYTES} bytes`))
    })
    await pipeline(response, createWriteStream(file), { signal: quiet.signal })
    return hash.digest('hex')
  } catch (error) {
    throw quiet.signal.aborted ? quiet.signal.reason : error
  } finally {
    quiet.end()
  }
}

async function follow(start: string, quiet: Silence): Promise<IncomingMessage> {
  let url = start
  for (let turn = 0; turn <= MAX_REDIRECTS; turn++) {
    const response = await ask(url, quiet.signal)
    quiet.heard()
    const { statusCode = 0, headers } = response
    if (statusCode === 200) return response
    response.destroy()
    if (statusCode < 300 || statusCode > 399 || headers.location === undefined) throw new Error(`HTTP ${statusCode}`)
    const next = new URL(headers.location, url)
    if (url.startsWith('https:') && next.protocol !== 'https:') throw new Error('redirected away from https')
    url = next.href
  }
  throw new Error('too many redirects')
}

function ask(url: string, signal: AbortSignal): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = { keepAlive: false, proxyEnv: process.env }
    const request = url.startsWith('https:')
      ? httpsGet(url, { signal, agent: new HttpsAgent(options) }, resolve)
      : httpGet(url, { signal, agent: new HttpAgent(options) }, resolve)
    request.on('error', reject)
  })
}

/** Aborts when nothing was heard for too long. */
class Silence {
  readonly #abort = new AbortController()
  readonly #clock: Clock
  #cancel: () => void = () => undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.heard()
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  heard(): void {
    this.#cancel()
    this.#cancel = this.#clock.after(SILENCE_MS, () => this.#abort.abort(new Error(`silent for ${SILENCE_MS} ms`)))
  }

  end(): void {
    this.#cancel()
  }
}

/** What acts: its answers, and the bodies that say what is wanted. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** What was done, for the one who asked for it. */
export interface ActAnswer {
  /** HTTP status. */
  readonly status: number
  /** Told as JSON. */
  readonly body: object
}

/** Told as it comes, a JSON object a line. */
export interface LinesAnswer {
  readonly status: 200
  /** `tell` resolves when the line has gone out, or nobody listens any more. */
  lines(tell: (line: object) => Promise<void>): Promise<void>
}

const MOST_BYTES = 4096

/** The body as JSON; undefined when it is none, or too large: then the rest of it is not waited for. */
export async function bodyOf(request: IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = []
  let bytes = 0
  const isWhole = await new Promise<boolean>(resolve => {
    request.on('data', (part: Buffer) => {
      bytes += part.length
      if (bytes <= MOST_BYTES) parts.push(part)
      else resolve(false)
    })
    request.on('end', () => resolve(true))
    request.on('close', () => resolve(false))
    request.on('error', () => resolve(false))
  })
  try {
    return isWhole ? JSON.parse(Buffer.concat(parts).toString('utf8')) : undefined
  } catch {
    return undefined
  }
}

/** Aborts when the peer goes away before it was answered. */
export function leaving(response: ServerResponse): AbortSignal {
  const gone = new AbortController()
  response.on('close', () => {
    if (!response.writableFinished) gone.abort(new Error('the one who asked went away'))
  })
  return gone.signal
}

/** Sends line after line; one who does not read is waited for. Never rejects. */
export async function sendLines(response: ServerResponse, { lines }: LinesAnswer): Promise<void> {
  response.writeHead(200, {
    'content-type': 'application/x-ndjson; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  })
  response.flushHeaders()
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  await lines(async line => {
    if (gone.signal.aborted || response.write(`${JSON.stringify(line)}\n`)) return
    await once(response, 'drain', { signal: gone.signal }).catch(() => undefined)
  }).catch(() => undefined)
  response.end()
}

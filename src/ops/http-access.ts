/** Who may ask the HTTP endpoint what: the bearer token, loopback, and web pages that send browsers to us. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { Fatal } from '../errors.ts'

/** `open`: answered to everybody. `read`: what the daemon knows. `act`: it makes the daemon do something. */
export type Access = 'open' | 'read' | 'act'

export interface Refusal {
  readonly status: number
  readonly why: string
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Undefined when the request may be answered. With a token file, `read` wants the token from a peer that is not on
 * loopback; without one it is open. `act` wants the token from such a peer always, and so also from whatever a browser sends, wherever
 * it runs: any web page can make one send a POST to this machine.
 */
export async function refusalOf(
  request: IncomingMessage,
  access: Access,
  tokenFile: string | null,
): Promise<Refusal | undefined> {
  if (access === 'open') return undefined
  const suspect = isFromOutside(request) || (access === 'act' && isFromBrowser(request))
  if (!suspect) return undefined
  if (tokenFile !== null) return checkToken(request, tokenFile)
  if (access === 'read') return undefined
  return {
    status: 403,
    why: 'Only for this machine, and not from a browser: others need a token, see http.token_file.',
  }
}

function isFromOutside(request: IncomingMessage): boolean {
  const peer = request.socket.remoteAddress ?? ''
  const loopback = peer === '::1' || /^(::ffff:)?127\./.test(peer)
  const { headers } = request
  return (
    !loopback ||
    headers.forwarded !== undefined ||
    headers['x-forwarded-for'] !== undefined ||
    headers.via !== undefined
  )
}

/** Browsers send one of the two with every POST, and no page can keep them from it. */
function isFromBrowser({ headers }: IncomingMessage): boolean {
  return headers.origin !== undefined || headers['sec-fetch-site'] !== undefined
}

async function checkToken(request: IncomingMessage, tokenFile: string): Promise<Refusal | undefined> {
  let token: string
  try {
    token = await readToken(tokenFile)
  } catch {
    return { status: 503, why: 'The token file can not be read: nobody is let in.' }
  }
  const given = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  // Digests have one length, so the comparison takes the same time whatever was sent.
  if (given !== undefined && timingSafeEqual(digest(given), digest(token))) return undefined
  return { status: 401, why: 'A bearer token is needed.', headers: { 'www-authenticate': 'Bearer realm="opswire"' } }
}

function digest(value: string): Buffer {
  return createHash('sha256').update(value).digest()
}

/** The token in this file. Throws `Fatal('config')`. */
export async function readToken(path: string): Promise<string> {
  const token = (await readKeyFile(path, 'http.token_file')).trim()
  if (token === '') throw new Fatal('config', `http.token_file ${path} is empty`)
  return token
}

/** A file that `key` names. Throws `Fatal('config')`. */
export async function readKeyFile(path: string, key: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new Fatal('config', `can't read ${key} ${path}`, { cause: error })
  }
}

/**
 * What a system says of a request may quote it, headers and body. Its words go into errors, the log and `source` events,
 * so the secrets that the request carried are cut out first: by their value, for their shape tells nothing.
 */
import type { HttpRequest } from './http.ts'

const MASK = '********'
/** Shorter values would cut holes into ordinary words. */
const LEAST = 4

const SECRET_HEADER = /^(authorization|cookie|.*(token|challenge).*)$/i
const SECRET_NAME = /pwd|pass|token|secret|assertion/i

/** Every secret that the request carries, in each of the ways it may be written. Longest first: one may hold another. */
export function secretsOf({ path, headers = {}, body }: Pick<HttpRequest, 'path' | 'headers' | 'body'>): string[] {
  const found: string[] = []
  for (const [name, value] of Object.entries(headers)) {
    if (!SECRET_HEADER.test(name)) continue
    // `Bearer TOKEN`, `NAME=VALUE; NAME=VALUE`: the whole, and each part.
    found.push(value, ...value.split(/[;\s]+/).flatMap(part => [part, part.slice(part.indexOf('=') + 1)]))
    const basic = /^basic\s+(\S+)$/i.exec(value)?.[1]
    if (basic !== undefined) found.push(...inBasic(Buffer.from(basic, 'base64').toString('utf8')))
  }
  for (const [name, value] of new URLSearchParams(path.split('?')[1] ?? ''))
    if (SECRET_NAME.test(name)) found.push(value)
  if (body !== undefined) found.push(...inBody(body))
  const schemes = new Set(['bearer', 'basic'])
  const secrets = found.filter(secret => secret.length >= LEAST && !schemes.has(secret.toLowerCase()))
  return [...new Set(secrets.flatMap(formsOf))].sort((a, b) => b.length - a.length)
}

/** As it is, in a URL, in a form, in JSON, and in a page or XML: as the usual libraries write it there. */
function formsOf(secret: string): string[] {
  const url = encodeURIComponent(secret.toWellFormed())
  // As RFC 3986 has it; encodeURIComponent leaves five characters alone that it reserves.
  const strict = url.replace(/[!'()*]/g, unit => `%${unit.charCodeAt(0).toString(16).toUpperCase()}`)
  const form = new URLSearchParams([['', secret]]).toString().slice(1)
  const json = JSON.stringify(secret).slice(1, -1)
  const escaped = (unit: string): string => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  const ascii = json.replace(/[^\0-\x7f]/g, escaped)
  const slashed = [json, ascii].map(text => text.replaceAll('/', '\\/'))
  const pages = QUOTES.map(([double, single]) =>
    secret
      .replaceAll('&', '&amp;')
      .replaceAll('<', '&lt;')
      .replaceAll('>', '&gt;')
      .replaceAll('"', double)
      .replaceAll("'", single),
  )
  return [secret, ...[url, strict, form].flatMap(text => [text, lowerHex(text)]), json, ascii, ...slashed, ...pages]
}

/** How the two quotes are written in pages; in text they may be left as they are. */
const QUOTES = [
  ['"', "'"],
  ['&quot;', '&#39;'],
  ['&quot;', '&apos;'],
  ['&quot;', '&#x27;'],
  ['&#34;', '&#39;'],
  ['&#34;', '&#x27;'],
] as const

function lowerHex(text: string): string {
  return text.replace(/%[0-9A-F]{2}/g, code => code.toLowerCase())
}

/** The password, and the whole that holds it; the name alone is none. */
function inBasic(pair: string): string[] {
  return [pair, pair.slice(pair.indexOf(':') + 1)]
}

/** The text without them. */
export function unsaid(text: string, secrets: readonly string[]): string {
  let result = text
  for (const secret of secrets) result = result.replaceAll(secret, MASK)
  return result
}

/** Values of a JSON body or a form whose names are secrets'. */
function inBody(body: string): string[] {
  const found: string[] = []
  try {
    JSON.parse(body, (key, value: unknown) => {
      if (typeof value === 'string' && SECRET_NAME.test(key)) found.push(value)
      return value
    })
  } catch {
    for (const [name, value] of new URLSearchParams(body)) if (SECRET_NAME.test(name)) found.push(value)
  }
  return found
}

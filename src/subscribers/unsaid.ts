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
  }
  for (const [name, value] of new URLSearchParams(path.split('?')[1] ?? ''))
    if (SECRET_NAME.test(name)) found.push(value)
  if (body !== undefined) found.push(...inBody(body))
  const forms = found.flatMap(secret => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])
  const schemes = new Set(['bearer', 'basic'])
  return [...new Set(forms)]
    .filter(secret => secret.length >= LEAST && !schemes.has(secret.toLowerCase()))
    .sort((a, b) => b.length - a.length)
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

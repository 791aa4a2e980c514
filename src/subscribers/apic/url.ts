/** A request's path and query string, as they go over the wire. */

export type Options = readonly (readonly [string, string])[]

/**
 * Longest request line, in bytes, that the server in front of an APIC is sure to take (reference a9: 4–8 kB), and what of
 * it is kept for what is added to a question later: the subscription, the page, the time since which a log is asked for,
 * the challenge token.
 */
export const LONGEST_LINE = 4096
export const RESERVED = 640

/**
 * Path and query string, escaped by the conservative set of reference a9: `( ) , [ ] / : | =` stay, `+` is `%2B`.
 * An `extra` option replaces one of the same name; a further `query-target-filter` is joined to the query's own by `and`.
 */
export function queryUrl(
  query: { readonly path: string; readonly options: Options },
  format: 'json' | 'xml',
  extra: Options = [],
): string {
  const all = new Map(query.options)
  for (const [name, value] of extra) {
    const own = all.get(name)
    const joined = name === 'query-target-filter' && own !== undefined && !value.includes(own)
    all.set(name, joined ? `and(${own},${value})` : value)
  }
  const statements = [...all].map(([name, value]) => `${name}=${escaped(value)}`)
  const path = `${escaped(query.path)}.${format}`
  return statements.length === 0 ? path : `${path}?${statements.join('&')}`
}

/** Bytes of the request line of a GET. */
export function lineBytes(url: string): number {
  return `GET ${url} HTTP/1.1\r\n`.length
}

function escaped(text: string): string {
  return text.toWellFormed().replace(/[^A-Za-z0-9\-_.~()[\],/:|=!*'@;$]/gu, encodeURIComponent)
}

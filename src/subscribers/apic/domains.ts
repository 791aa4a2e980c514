/** The login domains that a controller has: what a person wants to know whose login was refused. */
import { blanked } from '../../unprintable.ts'
import type { HttpClient } from '../http.ts'
import { decodeAnswer } from './decode.ts'

/** Names told, and characters told of each: a line that can be read. */
const MOST_NAMES = 20
const LONGEST_NAME = 64
/** The answer is a word of help, nothing to wait for. */
const TIMEOUT_MS = 5000

/**
 * Their names, as `GET /api/aaaListDomains.json` gives them to anybody (guide: aaaListDomains; reference a2: the one
 * answer without a class around each object). Undefined when that can't be had. Never throws, and asks once.
 */
export async function listDomains(http: HttpClient, signal: AbortSignal): Promise<string[] | undefined> {
  try {
    const answer = await http.request({
      method: 'GET',
      path: '/api/aaaListDomains.json',
      operation: 'domains',
      signal,
      timeoutMs: TIMEOUT_MS,
      maxBytes: 1024 * 1024,
    })
    if (!answer.ok) return undefined
    const names = decodeAnswer(answer.text).objects.map(({ attributes }) => attributes['name'] ?? '')
    return names.map(blanked).filter(name => name !== '')
  } catch {
    // Refused is refused: the reason for that is the news, not this.
    return undefined
  }
}

/** What to add to the message of a refused login; empty when nothing is known. */
export function hintOf(domain: string | undefined, names: readonly string[] | undefined): string {
  if (names === undefined || names.length === 0) return ''
  const shown = names
    .slice(0, MOST_NAMES)
    .map(name => (name.length > LONGEST_NAME ? `${name.slice(0, LONGEST_NAME - 1)}…` : name))
  const list = shown.join(', ') + (names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '')
  if (domain !== undefined && !names.includes(domain)) return ` (${domain} is no login domain here; there are: ${list})`
  return ` (login domains here: ${list})`
}

/** Organisations, as `GET /api/org` lists them: XML, like in the vendor's guide. */
import { Fatal, Retryable } from '../../errors.ts'
import { xmlParser } from '../xml-parser.ts'
import type { VcdApi } from './api.ts'

export interface Org {
  readonly name: string
  /** Bare lower-case UUID. */
  readonly id: string
  /** As the cell wrote it: by its public address, which need not be the one that we use. */
  readonly href: string
}

const parse = xmlParser({
  ignoreAttributes: false,
  attributeNamePrefix: '@',
  // A name is a text, also where it looks like a number.
  parseAttributeValue: false,
  removeNSPrefix: true,
  isArray: name => name === 'Org',
})

/** Reads an `OrgList`. Throws `Retryable('protocol')` for anything else. */
export function parseOrgs(xml: string): Org[] {
  let parsed: unknown
  try {
    parsed = parse(xml)
  } catch (error) {
    throw new Retryable('protocol', 'GET /api/org answered something that is not XML', { cause: error })
  }
  const list = (parsed as { OrgList?: { Org?: unknown[] } | string }).OrgList
  // An empty list is a text to the parser.
  if (list === undefined) throw new Retryable('protocol', 'GET /api/org answered no OrgList')
  const orgs: Org[] = []
  for (const entry of typeof list === 'string' ? [] : (list.Org ?? [])) {
    const { '@name': name, '@href': href } = entry as { '@name'?: unknown; '@href'?: unknown }
    if (typeof name !== 'string' || typeof href !== 'string') continue
    orgs.push({ name, href, id: (href.replace(/\/+$/, '').split('/').at(-1) ?? '').toLowerCase() })
  }
  return orgs
}

/** The organisations that this login sees: all of them for the provider, its own for a tenant. Throws `Fatal` and `Retryable`. */
export async function listOrgs(api: VcdApi): Promise<Org[]> {
  const answer = await api.get('/api/org', 'orgs')
  if (answer.ok) return parseOrgs(answer.text)
  if (answer.status === 403) {
    throw new Fatal('permission', "GET /api/org answered HTTP 403: the API token's role may not list organisations")
  }
  throw new Retryable('protocol', `GET /api/org answered HTTP ${answer.status}`)
}

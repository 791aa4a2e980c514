/**
 * Names that are secrets: an SNMP community's name is its password, and stands in the name of the object
 * (`…/snmppol-default/community-NAME`), of what is below it, and of records about it. The mirror and the id need the true
 * name; whatever else of a fact holds it is masked.
 */
import type { Fact } from '../../event.ts'
import { MASK } from './redact.ts'
import { oneLine } from './words.ts'

const PLACE = /(?:^|[/[\n])(?:community|commsec)-(?:\[([^\]\n]*)\]?|([^/\]\n]+))/g

/** The same fact with the secrets of these names masked, wherever they stand; the very same object when there are none. */
export function withoutSecretNames(fact: Fact, dn: string, affected: string | undefined): Fact {
  // Most names have none, and each event comes by here.
  if (!mayHold(dn) && (affected === undefined || !mayHold(affected))) return fact
  const secrets = new Set<string>()
  for (const [, bracketed, plain] of `${dn}\n${affected ?? ''}`.matchAll(PLACE)) {
    const secret = bracketed ?? plain ?? ''
    if (secret !== '') secrets.add(secret)
  }
  if (secrets.size === 0) return fact
  // The longest first: one may be a part of another.
  const longestFirst = [...secrets].sort((a, b) => b.length - a.length)
  const hide = (text: string): string => longestFirst.reduce((left, secret) => left.replaceAll(secret, MASK), text)
  const { kind, state, outcome, resource, ...rest } = fact.data
  const { kind: resourceKind, ...place } = resource
  return {
    ...fact,
    subject: hide(fact.subject),
    partitionkey: hide(fact.partitionkey),
    data: {
      ...(hidden(rest, hide) as typeof rest),
      // A mask may be longer than what it hides.
      summary: oneLine(hide(rest.summary)),
      kind,
      state,
      outcome,
      resource: { ...(hidden(place, hide) as typeof place), kind: resourceKind },
    },
  }
}

function mayHold(dn: string): boolean {
  return dn.includes('community-') || dn.includes('commsec-')
}

function hidden(value: unknown, hide: (text: string) => string): unknown {
  if (typeof value === 'string') return hide(value)
  if (Array.isArray(value)) return value.map(item => hidden(item, hide))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, hidden(item, hide)]))
}

/** Types of events that are known, so that one which isn't is told once: rules may want to name it. */
import { printable } from './printable.ts'
import { type AuditRow, nativeType } from './row.ts'

/** What any verb of is known, and whose verbs are (vcd.md a3). The list is old: releases since then have more. */
const OBJECTS = new Set(
  (
    'group org vdc vm vapp vappTemplate media network gateway catalog catalogItem disk datastore providerVdc task ' +
    'blockingtask'
  ).split(' '),
)
const VERBS: ReadonlyMap<string, ReadonlySet<string>> = new Map(
  Object.entries({
    session: 'login authorize',
    user: 'create delete import remove modify enable disable lockout unlock lock_expired',
    role: 'create modify delete',
  }).map(([object, verbs]) => [object, new Set(verbs.split(' '))]),
)
/** The life of tokens and service accounts: the names are not documented, the words are. */
const TOKENS = /token|oauth|serviceAccount/i
const MOST = 200
const MAX_TYPE = 120

/** Belongs to a source, not to a session. */
export class EventTypes {
  readonly #told = new Set<string>()

  /** The type of a row of the cell's own, the first time that it is met and if it isn't known. */
  strange(row: AuditRow): string | undefined {
    if (row.external || row.eventType === '') return undefined
    const [object, verb] = nativeType(row) ?? ['', '']
    if (OBJECTS.has(object) || VERBS.get(object)?.has(verb) === true || TOKENS.test(row.eventType)) return undefined
    const type = printable(row.eventType).slice(0, MAX_TYPE)
    if (this.#told.has(type) || this.#told.size >= MOST) return undefined
    this.#told.add(type)
    return type
  }
}

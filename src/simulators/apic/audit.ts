/** The audit trail's words: aaaModLR for changes, aaaSessionLR for logins, in the spellings of real captures. */
import { hash } from 'node:crypto'
import type { SessionAction } from './fabric-knobs.ts'
import type { Attributes } from './model.ts'

/** Who changed something. */
export interface Author {
  readonly user: string
  readonly sessionId: string
  readonly clientTag?: string
  readonly address?: string
}

/** The author of changes made past the API. */
export const NOBODY: Author = { user: 'admin', sessionId: '' }

export type Indication = 'creation' | 'modification' | 'deletion'

const UNTOLD: ReadonlySet<string> = new Set(['dn', 'rn', 'status', 'childAction', 'modTs', 'pwd', 'replTs'])

/**
 * `changeSet` as the audit log spells it: `k:v, k:v` for a creation, `k (Old: a, New: b)` for a change, `k (New: v)`
 * when there was nothing before, '' for a deletion. Values are not quoted, whatever they hold.
 */
export function changeSet(ind: Indication, before: Readonly<Attributes>, changed: Readonly<Attributes>): string {
  if (ind === 'deletion') return ''
  const told = Object.entries(changed).filter(([property]) => !UNTOLD.has(property))
  told.sort(([a], [b]) => (a < b ? -1 : 1))
  if (ind === 'creation') return told.map(([property, value]) => `${property}:${value}`).join(', ')
  return told
    .map(([property, value]) => {
      const old = before[property]
      return old === undefined ? `${property} (New: ${value})` : `${property} (Old: ${old}, New: ${value})`
    })
    .join(', ')
}

const PAST: Record<Indication, string> = { creation: 'created', modification: 'modified', deletion: 'deleted' }

export interface Modification {
  readonly className: string
  readonly dn: string
  readonly name: string
  readonly ind: Indication
  readonly changeSet: string
  readonly txId: string
  readonly stamp: string
}

/** The aaaModLR of one change to one object, without its id. */
export function modification(change: Modification, author: Author): Attributes {
  const label = change.className.replace(/^[a-z0-9]+/, '')
  // Each class and action has its own number; which is which tells nothing to a client.
  const number = (Number.parseInt(hash('md5', change.className, 'hex').slice(0, 6), 16) % 30_000) * 3
  const offset = change.ind === 'creation' ? 0 : change.ind === 'modification' ? 1 : 2
  return {
    affected: change.dn,
    cause: 'transition',
    changeSet: change.changeSet,
    childAction: '',
    clientTag: author.clientTag ?? '',
    code: `E42${String(number + offset).padStart(5, '0')}`,
    created: change.stamp,
    descr: `${label} ${change.name} ${PAST[change.ind]}`,
    ind: change.ind,
    modTs: 'never',
    sessionId: author.sessionId,
    severity: 'info',
    status: '',
    trig: 'config',
    txId: change.txId,
    user: author.user,
  }
}

export interface SessionHappening {
  readonly action: SessionAction
  readonly user: string
  readonly address: string
  readonly ok: boolean
  readonly stamp: string
}

/** An aaaSessionLR without its id. Whether it went well stands only in `descr`. */
export function sessionRecord(happening: SessionHappening): Attributes {
  const { action, user, address, ok, stamp } = happening
  return {
    affected: `uni/userext/user-${user}`,
    cause: 'unknown',
    changeSet: '',
    childAction: '',
    clientTag: '',
    code: 'generic',
    created: stamp,
    descr: `[user ${user}] From-${address}-client-type-REST-${ok ? 'Success' : 'Failure'}`,
    ind: 'special',
    modTs: 'never',
    sessionId: '',
    severity: ok ? 'info' : 'warning',
    status: '',
    trig: `${action},session`,
    txId: '0',
    user,
  }
}

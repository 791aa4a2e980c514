/** What is remarkable in the use of an API token, and what each use teaches. Pure. */
import type { TokenFlag } from '../../event-schema.ts'
import type { Inventory } from './inventory.ts'
import { BOUNDS, type Lesson, type TokenHistory, type UserState } from './learned.ts'
import { printable } from './printable.ts'
import { type AuditRow, lastSegment, nativeType, type Reference } from './row.ts'

/** Last uses are kept to the hour: a busy token must not be written down with every page. */
const COARSE_MS = 3_600_000
const MAX_KEY = 128

/**
 * What a row is to its token. `news` is flagged and teaches. `baseline` (what was there before we came, a backfill) teaches
 * and is not flagged. `old` (read long after it happened, after an outage) does neither: it must raise no alarm today, and what is
 * strange in it shall still be strange when it happens again.
 */
export type Standing = 'news' | 'baseline' | 'old'

const SHUT_OUT = new Set(['disable', 'delete', 'remove', 'lockout'])
const LET_IN = new Set(['enable', 'unlock', 'lock_expired', 'create', 'import'])

/** Flags of one row, rows being given in the order of their time. What extensions post is neither flagged nor learned. */
export function judge(row: AuditRow, standing: Standing, inventory: Inventory, lesson: Lesson): TokenFlag[] {
  if (row.external) return []
  learnUser(row, lesson)
  const { tokenId } = row
  if (tokenId === undefined || standing === 'old') return []
  const history = lesson.token(tokenId)
  const user = userOf(row.user, row.org)
  const address = row.clientAddress === undefined ? undefined : keyText(row.clientAddress)
  const flags = standing === 'news' ? flagsOf(row, inventory, lesson, history, user, address) : []
  const next = learn(history, row.timeMs, user, address)
  if (next !== history) lesson.setToken(tokenId, next)
  return flags
}

function flagsOf(
  row: AuditRow,
  inventory: Inventory,
  lesson: Lesson,
  history: TokenHistory | undefined,
  user: string | undefined,
  address: string | undefined,
): TokenFlag[] {
  const known = inventory.get(row.tokenId ?? '')
  const flags: TokenFlag[] = []
  if (inventory.configured && known === undefined) flags.push('unknown-token')
  if (history === undefined) flags.push('first-use')
  else if (address !== undefined && history.addresses.size > 0 && !history.addresses.has(address)) {
    flags.push('new-address')
  }
  if (user !== undefined && history?.users.has(user) === false) {
    if ([...history.users.keys()].some(one => sameForm(one, user))) flags.push('second-user')
  }
  if (isShutOut(userState(row, lesson), row.timeMs)) flags.push('stale-user')
  if (known?.expiresMs !== undefined && known.expiresMs <= row.timeMs) flags.push('expired-in-inventory')
  return flags
}

/** The same object when it teaches nothing worth writing down. */
function learn(
  history: TokenHistory | undefined,
  atMs: number,
  user: string | undefined,
  address: string | undefined,
): TokenHistory {
  const fresh = (times: ReadonlyMap<string, number> | undefined, key: string | undefined): boolean =>
    key !== undefined && atMs - (times?.get(key) ?? Number.NEGATIVE_INFINITY) >= COARSE_MS
  const later = history !== undefined && atMs - history.lastMs >= COARSE_MS
  const [newUser, newAddress] = [fresh(history?.users, user), fresh(history?.addresses, address)]
  if (history !== undefined && !later && !newUser && !newAddress) return history
  return {
    firstMs: Math.min(history?.firstMs ?? atMs, atMs),
    lastMs: Math.max(history?.lastMs ?? atMs, atMs),
    users: newUser ? withKey(history?.users, user, atMs, BOUNDS.usersOfToken) : (history?.users ?? new Map()),
    addresses: newAddress
      ? withKey(history?.addresses, address, atMs, BOUNDS.addresses)
      : (history?.addresses ?? new Map()),
  }
}

function withKey(
  times: ReadonlyMap<string, number> | undefined,
  key: string | undefined,
  atMs: number,
  most: number,
): ReadonlyMap<string, number> {
  if (key === undefined) return times ?? new Map()
  const all = [...new Map(times).set(key, atMs)].sort((a, b) => b[1] - a[1])
  // The one just learned stays, however old it is.
  const kept = all.slice(0, most)
  return new Map(kept.some(([one]) => one === key) ? kept : [...kept.slice(0, -1), [key, atMs]])
}

/** Who was shut out or let in, and when: by time, since rows may come late. */
function learnUser(row: AuditRow, lesson: Lesson): void {
  const type = nativeType(row)
  if (type?.[0] !== 'user' || row.status === 'FAILURE') return
  const off = SHUT_OUT.has(type[1])
  if (!off && !LET_IN.has(type[1])) return
  const { id, name } = row.entity
  const byName = name === undefined ? undefined : nameKey(name, row.org)
  const keys =
    id === undefined
      ? [byName]
      : [lastSegment(id), bereftKey(byName), lesson.user(byName ?? '') === undefined ? undefined : byName]
  for (const key of keys) {
    if (key === undefined) continue
    const before: UserState = lesson.user(key) ?? { offMs: undefined, onMs: undefined }
    const latest = (ms: number | undefined): number => Math.max(ms ?? Number.NEGATIVE_INFINITY, row.timeMs)
    const after = off ? { ...before, offMs: latest(before.offMs) } : { ...before, onMs: latest(before.onMs) }
    if (after.offMs !== before.offMs || after.onMs !== before.onMs) lesson.setUser(key, after)
  }
}

/**
 * By id and by name: either row, that of the deed or that of the use, may have lost the id of a user who is gone. What was said
 * of an id counts by name only where a row has none: a namesake with another id is another user.
 */
function userState({ user: { id, name }, org }: AuditRow, lesson: Lesson): UserState {
  const byName = name === undefined ? undefined : nameKey(name, org)
  const states = [id === undefined ? bereftKey(byName) : lastSegment(id), byName]
    .map(key => (key === undefined ? undefined : lesson.user(key)))
    .filter(state => state !== undefined)
  const latest = (times: readonly (number | undefined)[]): number | undefined => {
    const known = times.filter(ms => ms !== undefined)
    return known.length === 0 ? undefined : Math.max(...known)
  }
  return { offMs: latest(states.map(state => state.offMs)), onMs: latest(states.map(state => state.onMs)) }
}

/** Shut out before that moment, and not let in again since: of a row that comes out of order the least is said. */
function isShutOut(state: UserState, atMs: number): boolean {
  if (state.offMs === undefined || state.offMs >= atMs) return false
  return state.onMs === undefined || state.onMs < state.offMs
}

/** A row may name its user by id, by name or not at all: an id and a name (which has an `@`) are never compared. */
function userOf({ id, name }: Reference, org: Reference): string | undefined {
  return id !== undefined ? lastSegment(id) : name === undefined ? undefined : nameKey(name, org)
}

const sameForm = (a: string, b: string): boolean => a.includes('@') === b.includes('@')

const nameKey = (name: string, org: Reference): string => keyText(`${name}@${org.name ?? org.id ?? ''}`)

/** For rows that lost the id. No name makes it, since no id and no key of a name begins so. */
const bereftKey = (byName: string | undefined): string | undefined => (byName === undefined ? undefined : `//${byName}`)

const keyText = (text: string): string => printable(text).slice(0, MAX_KEY)

/**
 * What the trail has taught: which users and addresses each API token was seen with, which users are shut out, how each
 * session of the cloud began. Kept in the store's mirror and committed with the events that taught it, so it survives whatever
 * the events survive. Bounded.
 */
import type { ManagedObject, MirrorChange, MirrorView } from '../../record.ts'

/** What is known of one API token. Times are ms by the cell's clock. */
export interface TokenHistory {
  readonly firstMs: number
  /** Of its last use, to the hour. */
  readonly lastMs: number
  /** By id, else by name; each with its last use, to the hour. */
  readonly users: ReadonlyMap<string, number>
  readonly addresses: ReadonlyMap<string, number>
}

/** When a user was last shut out (disabled, deleted, removed, locked) and let in again. */
export interface UserState {
  readonly offMs: number | undefined
  readonly onMs: number | undefined
}

/** How a session of the cloud began, by its login event. */
export type SessionOrigin = 'token' | 'interactive'

/** At the bound, what was used longest ago is forgotten. */
export const BOUNDS = { tokens: 10_000, users: 10_000, sessions: 5000, addresses: 64, usersOfToken: 16 } as const

const TOKEN = 'vcd.token'
const USER = 'vcd.user'
const SESSION = 'vcd.session'

type Attributes = Readonly<Record<string, string>>

/** One kind of thing: its entries, oldest use first, and how an entry is written down. */
class Shelf<Entry> {
  readonly entries = new Map<string, Entry>()
  readonly #family: string
  readonly #most: number
  readonly #write: (entry: Entry) => Attributes

  constructor(family: string, most: number, write: (entry: Entry) => Attributes) {
    this.#family = family
    this.#most = most
    this.#write = write
  }

  /** The changes that setting these entries makes, those forgotten for want of room included. */
  changes(drafts: ReadonlyMap<string, Entry>): MirrorChange[] {
    const changes: MirrorChange[] = []
    let surplus = this.entries.size - this.#most
    for (const [id, entry] of drafts) {
      if (!this.entries.has(id)) surplus++
      const key = `${this.#family}/${id}`
      changes.push({ key, object: { key, family: this.#family, version: '', attributes: this.#write(entry) } })
    }
    for (const id of this.entries.keys()) {
      if (surplus <= 0) break
      if (drafts.has(id)) continue
      changes.push({ key: `${this.#family}/${id}`, object: null })
      surplus--
    }
    return changes
  }

  /** What `changes` said is durable. */
  adopt(drafts: ReadonlyMap<string, Entry>): void {
    for (const [id, entry] of drafts) {
      this.entries.delete(id)
      this.entries.set(id, entry)
    }
    for (const id of this.entries.keys()) {
      if (this.entries.size <= this.#most) break
      this.entries.delete(id)
    }
  }
}

/** What is committed. Read it and change it through a `Lesson`. */
export class Learned {
  readonly tokens = new Shelf<TokenHistory>(TOKEN, BOUNDS.tokens, ({ firstMs, lastMs, users, addresses }) => ({
    first: String(firstMs),
    last: String(lastMs),
    users: JSON.stringify(Object.fromEntries(users)),
    addresses: JSON.stringify(Object.fromEntries(addresses)),
  }))
  readonly users = new Shelf<UserState>(USER, BOUNDS.users, ({ offMs, onMs }) => ({
    ...(offMs === undefined ? {} : { off: String(offMs) }),
    ...(onMs === undefined ? {} : { on: String(onMs) }),
  }))
  readonly sessions = new Shelf<{ readonly origin: SessionOrigin; readonly atMs: number }>(
    SESSION,
    BOUNDS.sessions,
    ({ origin, atMs }) => ({ origin, at: String(atMs) }),
  )

  /** Reads what the store has. */
  constructor(mirror: MirrorView) {
    const tokens: [string, TokenHistory][] = []
    const users: [string, UserState][] = []
    const sessions: [string, { origin: SessionOrigin; atMs: number }][] = []
    for (const { key, family, attributes } of mirror.values()) {
      const id = key.slice(family.length + 1)
      if (family === TOKEN) tokens.push([id, readToken(attributes)])
      else if (family === USER) {
        users.push([id, { offMs: optionalMs(attributes['off']), onMs: optionalMs(attributes['on']) }])
      } else if (family === SESSION) {
        const origin = attributes['origin'] === 'token' ? 'token' : 'interactive'
        sessions.push([id, { origin, atMs: optionalMs(attributes['at']) ?? 0 }])
      }
    }
    const newest = ({ offMs = 0, onMs = 0 }: UserState): number => Math.max(offMs, onMs)
    this.tokens.adopt(new Map(tokens.sort((a, b) => a[1].lastMs - b[1].lastMs)))
    this.users.adopt(new Map(users.sort((a, b) => newest(a[1]) - newest(b[1]))))
    this.sessions.adopt(new Map(sessions.sort((a, b) => a[1].atMs - b[1].atMs)))
  }

  sessionOrigin(sessionId: string): SessionOrigin | undefined {
    return this.sessions.entries.get(sessionId)?.origin
  }
}

/** What one page teaches: laid over what is committed, and of no effect until `adopt`. */
export class Lesson {
  readonly #learned: Learned
  readonly #tokens = new Map<string, TokenHistory>()
  readonly #users = new Map<string, UserState>()
  readonly #sessions = new Map<string, { readonly origin: SessionOrigin; readonly atMs: number }>()

  constructor(learned: Learned) {
    this.#learned = learned
  }

  token(id: string): TokenHistory | undefined {
    return this.#tokens.get(id) ?? this.#learned.tokens.entries.get(id)
  }

  setToken(id: string, history: TokenHistory): void {
    this.#tokens.set(id, history)
  }

  user(key: string): UserState | undefined {
    return this.#users.get(key) ?? this.#learned.users.entries.get(key)
  }

  setUser(key: string, state: UserState): void {
    this.#users.set(key, state)
  }

  sessionOrigin(sessionId: string): SessionOrigin | undefined {
    return this.#sessions.get(sessionId)?.origin ?? this.#learned.sessionOrigin(sessionId)
  }

  learnSession(sessionId: string, origin: SessionOrigin, atMs: number): void {
    if (this.sessionOrigin(sessionId) !== origin) this.#sessions.set(sessionId, { origin, atMs })
  }

  /** To be committed with the page. */
  changes(): MirrorChange[] {
    const { tokens, users, sessions } = this.#learned
    return [...tokens.changes(this.#tokens), ...users.changes(this.#users), ...sessions.changes(this.#sessions)]
  }

  /** The page is durable. */
  adopt(): void {
    this.#learned.tokens.adopt(this.#tokens)
    this.#learned.users.adopt(this.#users)
    this.#learned.sessions.adopt(this.#sessions)
  }
}

function readToken(attributes: ManagedObject['attributes']): TokenHistory {
  const firstMs = optionalMs(attributes['first']) ?? 0
  return {
    firstMs,
    lastMs: optionalMs(attributes['last']) ?? firstMs,
    users: readTimes(attributes['users']),
    addresses: readTimes(attributes['addresses']),
  }
}

function readTimes(text: string | undefined): Map<string, number> {
  const times: unknown = JSON.parse(text ?? '{}')
  const entries = Object.entries(times as Record<string, unknown>)
  return new Map(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'))
}

function optionalMs(text: string | undefined): number | undefined {
  return text === undefined || !/^-?\d+$/.test(text) ? undefined : Number(text)
}

/** Who may log in, under which names, and who is locked out for guessing. */
import type { Time } from '../server.ts'
import { ApicError } from './refusal.ts'

export interface Account {
  readonly name: string
  readonly password: string
  /** Login domain; the first of the controller's domains when left out. */
  readonly domain?: string
  /** Reads everything, changes nothing. */
  readonly readOnly?: boolean
  readonly firstName?: string
  readonly lastName?: string
}

export interface LoginDomain {
  readonly name: string
  readonly guiBanner?: string
  /** What a refused login with this domain reads; local authentication's words when left out (a2: it differs; A). */
  readonly refusedText?: string
}

export interface AccountOptions {
  readonly time: Time
  readonly users: readonly Account[]
  readonly domains: readonly LoginDomain[]
  /** Passwords of users that were made by POST. */
  readonly passwords: ReadonlyMap<string, string>
  /** Wrong passwords in a row that lock an account. */
  readonly lockoutAfter: number
  readonly lockoutSeconds: number
}

const REFUSED = 'User credential is incorrect - FAILED local authentication'

/** What stands before the user's name: `apic:DOMAIN\user`, or `apic#fallback\user` in an emergency. */
function splitLoginName(name: string): { user: string; domain: string | undefined } {
  const match = /^apic[:#]([^\\]+)\\(.+)$/.exec(name)
  if (match === null) return { user: name, domain: undefined }
  return { user: match[2] ?? '', domain: match[1] }
}

export class Accounts {
  readonly #options: AccountOptions
  readonly #failures = new Map<string, { count: number; lockedUntil: number }>()

  constructor(options: AccountOptions) {
    this.#options = options
  }

  /** The account of a good name and password. Throws `ApicError` 401 for anything else. */
  check(loginName: string, password: string): Account {
    const { time, lockoutAfter, lockoutSeconds } = this.#options
    const { user, domain } = splitLoginName(loginName)
    const state = this.#failures.get(user) ?? { count: 0, lockedUntil: Number.NEGATIVE_INFINITY }
    const refused = this.#options.domains.find(({ name }) => name === domain)?.refusedText ?? REFUSED
    if (time.now() < state.lockedUntil) throw new ApicError(401, '401', `${refused} - user ${user} is locked out`)
    const account = this.#find(user, domain)
    if (account === undefined || account.password !== password) {
      state.count++
      if (state.count >= lockoutAfter) {
        state.lockedUntil = time.now() + lockoutSeconds * 1000
        state.count = 0
      }
      this.#failures.set(user, state)
      throw new ApicError(401, '401', refused)
    }
    this.#failures.delete(user)
    return account
  }

  /** The bare name behind a login name, if there is such a user. */
  knows(loginName: string): string | undefined {
    const { user, domain } = splitLoginName(loginName)
    return this.#find(user, domain)?.name
  }

  #find(user: string, domain: string | undefined): Account | undefined {
    const local = this.#options.domains[0]?.name ?? 'LOCAL'
    const wanted = domain === undefined || domain === 'fallback' ? local : domain
    const posted = this.#options.passwords.get(user)
    if (posted !== undefined && wanted === local) return { name: user, password: posted }
    return this.#options.users.find(account => account.name === user && (account.domain ?? local) === wanted)
  }
}

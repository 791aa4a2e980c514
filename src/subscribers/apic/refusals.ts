/**
 * Which logins were refused, for all sources of a process: an account is locked by a few refused passwords, whoever sends
 * them (reference a4), and a file that was written anew may hold the same.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { Fatal } from '../../errors.ts'

/** The same password is not sent again for this long, ms. */
const HOLD_MS = 5 * 60_000

interface Refusal {
  readonly message: string
  /** Monotonic ms. */
  readonly at: number
}

export class Refusals {
  /** No hash leaves the process, and none can be looked up in a table. */
  readonly #salt = randomBytes(32)
  /** By controller and login name, then by the password's SHA-256. */
  readonly #refused = new Map<string, Map<string, Refusal>>()

  /**
   * Throws `Fatal('auth_refused')`, with the controller's words, when one of these controllers refused this login within
   * the last five minutes. `now`: monotonic ms.
   */
  check(controllers: readonly string[], name: string, password: string, now: number): void {
    const hash = this.#hash(password)
    for (const key of keysOf(controllers, name)) {
      const refusal = this.#refused.get(key)?.get(hash)
      if (refusal !== undefined && now - refusal.at < HOLD_MS) throw new Fatal('auth_refused', refusal.message)
    }
  }

  /** One of these controllers refused the login: so would the others, they share their accounts. */
  note(controllers: readonly string[], name: string, password: string, message: string, now: number): void {
    const hash = this.#hash(password)
    for (const key of keysOf(controllers, name)) {
      const known = this.#refused.get(key) ?? new Map<string, Refusal>()
      for (const [old, { at }] of known) if (now - at >= HOLD_MS) known.delete(old)
      known.set(hash, { message, at: now })
      this.#refused.set(key, known)
    }
  }

  /** The account was let in: what was refused before may be right by now. */
  forget(controllers: readonly string[], name: string): void {
    for (const key of keysOf(controllers, name)) this.#refused.delete(key)
  }

  /** Somebody asks for another try of everything. */
  clear(): void {
    this.#refused.clear()
  }

  #hash(password: string): string {
    return createHmac('sha256', this.#salt).update(password).digest('base64')
  }
}

function keysOf(controllers: readonly string[], name: string): string[] {
  return controllers.map(address => `${new URL(address).origin} ${name}`)
}

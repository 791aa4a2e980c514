/** What a simulated controller is made with. */
import type { Certificate, Time } from '../server.ts'
import type { Account, LoginDomain } from './accounts.ts'
import type { Fabric } from './fabric.ts'
import type { Knobs } from './knobs.ts'

export interface ApicSimulatorOptions {
  readonly time: Time
  /** Plain HTTP and ws without one. */
  readonly certificate?: Certificate
  readonly port?: number
  /** The fabric to serve; a new one, closed with this controller, when left out. */
  readonly fabric?: Fabric
  /** Which controller of the fabric this is, from 1. */
  readonly nodeId?: number
  /** Default 600, as today's releases; the guide's time had 300 (reference/apic.md a2; A). */
  readonly refreshTimeoutSeconds?: number
  /** Hard end of a session however often it is refreshed. Default 24 h (a2; A). */
  readonly maximumLifetimeSeconds?: number
  /** Life of a subscription that asked for no other. Default 60 (a7; others say 80 and 90: D). */
  readonly subscriptionSeconds?: number
  readonly users?: readonly Account[]
  /** The first one is that of accounts and logins that name none. */
  readonly domains?: readonly LoginDomain[]
  readonly version?: string
  /** Opaque with `+`, `/`, `//` and `=` as older releases make them, or JWT-like (a2; A). */
  readonly tokenStyle?: 'base64' | 'jwt'
  /** The ceiling of an answer. Default 100 000 (a10; A). */
  readonly maxResults?: number
  /**
   * commHttps.throttleRate: logins and refreshes let through in any second; more get 503. Default 2 (a10; B). `Infinity`
   * switches it off.
   */
  readonly loginsPerSecond?: number
  /** Wrong passwords in a row that lock an account, and for how long (aaaBlockLoginProfile: a2; B). */
  readonly lockoutAfter?: number
  readonly lockoutSeconds?: number
  readonly knobs?: Partial<Knobs>
}

export const DEFAULT_USER: Account = {
  name: 'admin',
  password: 'ins3965!',
  firstName: 'George',
  lastName: 'Washington',
}

export const DEFAULT_DOMAINS: readonly LoginDomain[] = [
  { name: 'LOCAL' },
  { name: 'TACACS_PROD', guiBanner: 'San Jose' },
]

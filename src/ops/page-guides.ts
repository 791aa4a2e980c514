/** One thing that is not well, as the page tells it, and the headings of the documents that go on from there. */
import type { Level } from './page-parts.ts'

export interface Trouble {
  /** `bad`: it keeps the daemon from being ready. `watch`: it works, and somebody should look. */
  readonly level: Extract<Level, 'bad' | 'watch'>
  /** What, in a few words. */
  readonly what: string
  /** The part of the page that tells more: its id. */
  readonly part: string
  readonly since?: string | null
  /** Of what is no state and happens again: when it did so last. */
  readonly last?: string | null
  /** Why, or how much, in the words of the log. */
  readonly why: string
  readonly todo: string
  readonly see: Guide
}

/** Where to read on, in the documents that come with opswire. */
export interface Guide {
  readonly document: string
  readonly heading: string
}

const runbook = (alert: string): Guide => ({ document: 'docs/OPERATIONS.md', heading: alert })

/** All that the page refers to, by the names of the alerts where there is one: a test looks for each heading. */
export const GUIDES = {
  source: runbook('OpswireSourceDeaf'),
  tls: runbook('OpswireTlsUnverified'),
  certificate: runbook('OpswireCertificateExpiry'),
  credential: runbook('OpswireCredentialExpiry'),
  lease: runbook('OpswireLeaseMargin'),
  sink: runbook('OpswireSinkDown'),
  behind: runbook('OpswireDeliveryBehind'),
  refuses: runbook('OpswireStoreRefuses'),
  nearLimit: runbook('OpswireStoreNearLimit'),
  gap: runbook('OpswireGap'),
  dead: runbook('OpswireDeadLetters'),
  reload: runbook('OpswireReloadFailed'),
  held: runbook('When NATS is away, full, or not what it was'),
  stop: runbook('Signals'),
} as const satisfies Record<string, Guide>

/** What stays the same throughout one run, drawn from its seed: versions, readings of the real systems, settings. */
import { NEWEST, OLDEST } from '../../support/nats.ts'
import { Dice } from './dice.ts'

export interface Setting {
  readonly seed: number
  readonly nats: string
  /** What the server itself knows of repeats: so short that only looking them up helps, or as usual. */
  readonly duplicateWindow: '1s' | '5m'
  readonly format: 'json' | 'xml'
  readonly controllers: 1 | 2
  readonly subscriptionsOutliveSocket: boolean
  readonly socketAtSessionEnd: 'close' | 'silent' | 'quiet'
  readonly refreshTimeoutSeconds: number
  readonly maximumLifetimeSeconds: number
  /** How many controllers log each change for themselves. */
  readonly auditCopies: number
  /** Log records show in answers, and are pushed, this much later than they were made. */
  readonly recordsLateMs: number
  readonly jwtLifetimeMs: number
  readonly xsrfRotateEvery: number
  readonly expired: '401' | 'html'
  readonly vcdIdleMs: number
  /** `always`: each use of the API token answers with its successor, and kills it. */
  readonly vcdRotation: 'never' | 'always'
  readonly intervalMs: number
}

export function settingOf(seed: number): Setting {
  // A generator of its own: the schedule of a seed does not change when a setting is added.
  const dice = new Dice(seed * 2 + 1)
  return {
    seed,
    nats: seed % 2 === 0 ? NEWEST : OLDEST,
    duplicateWindow: dice.of(0.6) ? '1s' : '5m',
    format: dice.of(0.7) ? 'json' : 'xml',
    controllers: dice.of(0.5) ? 1 : 2,
    subscriptionsOutliveSocket: dice.of(0.5),
    socketAtSessionEnd: dice.pick(['close', 'silent', 'quiet'] as const),
    refreshTimeoutSeconds: dice.pick([15, 60, 600]),
    maximumLifetimeSeconds: dice.pick([40, 600, 86_400]),
    auditCopies: dice.pick([1, 1, 3]),
    recordsLateMs: dice.pick([0, 0, 50, 400]),
    jwtLifetimeMs: dice.pick([8000, 30_000, 1_800_000]),
    xsrfRotateEvery: dice.pick([0, 7]),
    expired: dice.of(0.5) ? '401' : 'html',
    // A lost answer would lock the daemon out for good: not beside random faults.
    vcdRotation: 'never',
    vcdIdleMs: dice.pick([5000, 1_800_000]),
    intervalMs: dice.pick([80, 120, 160]),
  }
}

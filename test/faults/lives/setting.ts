/** What stays the same throughout one run of lives, drawn from its seed. */
import { type Clock, systemClock } from '../../../src/scheduler/clock.ts'
import { Dice } from '../whole/dice.ts'

export interface LifeSetting {
  readonly seed: number
  /** All clocks of the run go so many times as fast as ours; the times below are by those. */
  readonly scale: 1 | 2 | 4
  readonly format: 'json' | 'xml'
  readonly fields: 'whole' | 'lean'
  readonly affected: 'object' | 'fault'
  /** Log records show this much later than they were made: all of them, or each by a part of it, drawn anew. */
  readonly recordsLateMs: number
  readonly lateness: 'fixed' | 'each'
  /** A record is written this much later than its step. */
  readonly recordDelayMs: number
  readonly pushDelayMs: number
  readonly subscriptionsOutliveSocket: boolean
  readonly refreshTimeoutSeconds: number
  readonly maximumLifetimeSeconds: number
  readonly subscriptionSeconds: number
  readonly reconcileSeconds: number
  readonly overlapMs: number
  readonly lanes: number
  /** Longest wait from one step of a fault to the next. */
  readonly stepMs: number
  /** Steps that were made before the source is there. */
  readonly before: number
}

/** `delays`: records may be written later than their step. */
export function settingOf(seed: number, delays = false): LifeSetting {
  const dice = new Dice(seed * 2 + 1)
  return {
    seed,
    scale: dice.pick([1, 2, 4] as const),
    format: dice.of(0.7) ? 'json' : 'xml',
    fields: dice.pick(['whole', 'lean'] as const),
    affected: dice.of(0.7) ? 'object' : 'fault',
    recordsLateMs: dice.pick([0, 50, 400, 1500]),
    lateness: dice.pick(['fixed', 'each'] as const),
    recordDelayMs: dice.pick([0, 0, 0, 20, 200]) * (delays ? 1 : 0),
    pushDelayMs: dice.pick([0, 0, 20, 100]),
    subscriptionsOutliveSocket: dice.of(0.5),
    refreshTimeoutSeconds: dice.pick([12, 60, 600]),
    maximumLifetimeSeconds: dice.pick([12, 30, 86_400]),
    subscriptionSeconds: dice.pick([8, 60]),
    reconcileSeconds: dice.pick([1, 1, 2, 3]),
    overlapMs: dice.pick([8000, 120_000]),
    lanes: dice.whole(1, 4),
    stepMs: dice.pick([10, 40, 150]),
    before: dice.pick([5, 20]),
  }
}

/** Our clock, `scale` times as fast, from now on; chance comes from `random`. */
export function fastClock(scale: number, random: () => number): Clock {
  const [now, wall] = [systemClock.now(), systemClock.wall()]
  const passed = (): number => (systemClock.now() - now) * scale
  return {
    wall: () => Math.floor(wall + passed()),
    now: passed,
    after: (ms, fn) => systemClock.after(ms / scale, fn),
    random,
  }
}

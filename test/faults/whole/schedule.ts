/** When what breaks: drawn from a seed, printed, and played. */
import { sleep, systemClock } from '../../../src/scheduler/clock.ts'
import { Dice } from './dice.ts'
import { APIC_FAULTS } from './faults-apic.ts'
import { POLLED_FAULTS } from './faults-polled.ts'
import { PROCESS_FAULTS } from './faults-processes.ts'
import { WIRE_FAULTS } from './faults-wire.ts'
import type { Detail, FaultKind } from './kinds.ts'
import type { World } from './world.ts'

export const KINDS: readonly FaultKind[] = [...WIRE_FAULTS, ...APIC_FAULTS, ...POLLED_FAULTS, ...PROCESS_FAULTS]

export interface Strike {
  /** Its number in the schedule: what `--only` names. */
  readonly index: number
  readonly kind: FaultKind
  readonly atMs: number
  /** 0: it strikes and is over. */
  readonly forMs: number
  readonly detail: Detail
}

/** All that is left of the time, at the least, is work without a fault. */
const LEAST_MS = 300

/** So many strikes, all over by `spanMs`, in the order in which they begin. */
export function scheduleOf(seed: number, spanMs: number, kinds = KINDS): Strike[] {
  const dice = new Dice(seed * 2)
  const drawn = kinds.flatMap(kind => Array.from({ length: kind.weight ?? 1 }, () => kind))
  const strikes = Array.from({ length: dice.whole(4, 9) }, () => {
    const kind = dice.pick(drawn)
    const longest = Math.min(kind.lastsMs ?? 0, spanMs)
    // Short ones are as interesting as long ones.
    const forMs = longest === 0 ? 0 : Math.round(LEAST_MS + (longest - LEAST_MS) * dice.next() ** 2)
    const atMs = Math.round(dice.next() * (spanMs - forMs))
    return { kind, atMs, forMs, detail: kind.draw?.(dice) ?? {} }
  })
  return strikes.sort((a, b) => a.atMs - b.atMs).map((strike, index) => ({ index, ...strike }))
}

export function lineOf({ index, kind, atMs, forMs, detail }: Strike): string {
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`
  const more = Object.entries(detail).map(([name, value]) => `${name} ${value}`)
  const lasts = forMs === 0 ? [] : [`for ${seconds(forMs)}`]
  return [`${index}. at ${seconds(atMs)} ${kind.name}`, ...lasts, ...more].join(', ')
}

/** Plays them all. Resolves when the last one is over and healed; rejects when one could not be played. */
export async function play(world: World, strikes: readonly Strike[]): Promise<void> {
  const began = systemClock.now()
  const turns = new Map<string, Promise<void>>()
  const one = async ({ kind, atMs, forMs, detail }: Strike): Promise<void> => {
    await sleep(systemClock, Math.max(0, began + atMs - systemClock.now()))
    const before = turns.get(kind.group)
    const turn = (async () => {
      await before
      const heal = await kind.strike(world, detail)
      await sleep(systemClock, forMs)
      if (typeof heal === 'function') await heal()
    })()
    turns.set(kind.group, turn)
    await turn
  }
  // What can't be healed any more would hide behind the first one that failed.
  const ends = await Promise.allSettled(strikes.map(one))
  const failed = ends.flatMap(end => (end.status === 'rejected' ? [end.reason] : []))
  if (failed.length > 0) throw new AggregateError(failed, `could not be played: ${failed.map(String).join('; ')}`)
}

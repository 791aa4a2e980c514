/** One pump from a memory store to a real NATS, and the judge of what arrived. */
import { expect } from 'vitest'
import type { NatsConfig } from '../../src/config/schema.ts'
import type { Happening } from '../../src/report.ts'
import { type Clock, systemClock } from '../../src/scheduler/clock.ts'
import { natsSink } from '../../src/sinks/nats.ts'
import { startPump } from '../../src/sinks/pump.ts'
import type { Pump, PumpOptions } from '../../src/sinks/pump-contract.ts'
import { until } from './manual-clock.ts'
import type { MemoryStore } from './memory-store.ts'
import { contents, numbered, numberOf } from './nats.ts'

export class Delivery {
  readonly store: MemoryStore
  readonly config: NatsConfig
  readonly pump: Pump
  readonly told: Happening[] = []

  constructor(
    store: MemoryStore,
    config: NatsConfig,
    { clock = systemClock, onForgotten }: { clock?: Clock; onForgotten?: PumpOptions['onForgotten'] } = {},
  ) {
    this.store = store
    this.config = config
    const report = (happening: Happening): void => {
      this.told.push(happening)
    }
    this.pump = startPump({
      ...{ store, sink: natsSink(config, { clock, report }), clock, report },
      ...(onForgotten && { onForgotten }),
    })
  }

  published(result: 'ok' | 'duplicate' | 'retry' | 'too_large'): number {
    let sum = 0
    for (const one of this.told) if (one.type === 'published' && one.result === result) sum += one.count
    return sum
  }

  /** What was said of the sink, in order: `up: …`, `down: …`. */
  get states(): string[] {
    return this.told.filter(one => one.type === 'sink_state').map(one => `${one.up ? 'up' : 'down'}: ${one.detail}`)
  }

  async settled(seq: number): Promise<void> {
    await until(() => this.store.settled >= seq, `settled up to ${seq}; ${this.states.at(-1)}`, 45_000)
  }
}

const KEYS = 997

/** Events `from` to `to`, spread over 997 objects. */
export function putMany(store: MemoryStore, from: number, to: number): void {
  for (let n = from; n <= to; n++) store.put(numbered(n, { object: `uni/tn-${n % KEYS}` }))
  store.announce()
}

/** Each of 1 to `count` is in the stream exactly once, and each object's events are in order. */
export async function expectEachOnce(config: NatsConfig, count: number): Promise<void> {
  const numbers = (await contents(config, count)).map(numberOf)
  const seen = new Map<number, number>()
  for (const n of numbers) seen.set(n, (seen.get(n) ?? 0) + 1)
  const wrong = Array.from({ length: count }, (_, index) => index + 1).filter(n => seen.get(n) !== 1)
  expect(wrong, 'missing or doubled').toEqual([])
  expect(numbers.length).toBe(count)
  const last = new Map<number, number>()
  const unordered = numbers.filter(n => {
    const before = last.get(n % KEYS) ?? 0
    last.set(n % KEYS, n)
    return n < before
  })
  expect(unordered, 'out of order within their object').toEqual([])
}

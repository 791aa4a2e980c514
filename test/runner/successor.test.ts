/** How often a runner tries to find a successor for a session that nears its end. */
import { afterEach, expect, it } from 'vitest'
import { Retryable } from '../../src/errors.ts'
import { BatchQueue } from '../../src/subscribers/batch-queue.ts'
import type { Batch, Session } from '../../src/subscribers/contract.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'

const HOUR_MS = 3_600_000

class Mortal implements Session {
  readonly queue = new BatchQueue()
  readonly retireBy: number
  readonly endsBy: number
  constructor(retireBy: number, endsBy: number) {
    this.retireBy = retireBy
    this.endsBy = endsBy
  }
  [Symbol.asyncIterator](): AsyncIterator<Batch> {
    return this.queue[Symbol.asyncIterator]()
  }
  async close(): Promise<void> {
    this.queue.end()
  }
  margins() {
    return {}
  }
}

let runner: Runner | undefined
afterEach(async () => {
  await runner?.stop(AbortSignal.abort())
})

/** When sessions were asked for after the first, until its end. */
async function tries(lifeMs: number, handOverMs: number): Promise<number[]> {
  const clock = new ManualClock()
  const opens: number[] = []
  runner = startRunner({
    subscriber: {
      ref: { system: 'apic', name: 'fabric-a' },
      pushes: true,
      open: async () => {
        opens.push(clock.now())
        if (opens.length > 1) throw new Retryable('unreachable', 'the controller is away')
        return new Mortal(lifeMs - handOverMs, lifeMs)
      },
    },
    store: new MemoryStore(),
    clock,
    report: () => undefined,
    stateDir: undefined,
  })
  await until(() => opens.length === 1, 'the first session')
  await clock.advance(lifeMs - 1)
  return opens.slice(1)
}

it('seldom, when there is an hour left: no login each half minute', async () => {
  const all = await tries(24 * HOUR_MS, 1.2 * HOUR_MS)
  expect(all.length).toBeGreaterThanOrEqual(4)
  expect(all.length).toBeLessThan(25)
})

it.each([
  [600_000, 120_000],
  [120_000, 30_000],
])('at least four times before the end of a session of %d ms', async (lifeMs, handOverMs) => {
  expect((await tries(lifeMs, handOverMs)).length).toBeGreaterThanOrEqual(4)
})

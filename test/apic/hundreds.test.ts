/** Hundreds of subscriptions for hours, on the hand-turned clock: kept, and kept at a pace that spares the controller. */
import { afterEach, expect, it } from 'vitest'
import { widestGap } from '../../src/simulators/apic/record.ts'
import { TUNING } from '../../src/subscribers/apic/core.ts'
import { ApicRig } from '../support/apic-source.ts'
import { ManualClock } from '../support/manual-clock.ts'

const SUBSCRIPTIONS = 200
const LIFE_MS = 60_000
const STEP_MS = 500

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

/** Jitter as it would be, and the same in every run. */
class Jittery extends ManualClock {
  override random(): number {
    this.chance = (this.chance + 0.618_034) % 1
    return this.chance
  }
}

/** Turns the clock in small steps, and waits each time until every request that was made is answered. */
async function turn(clock: ManualClock, seconds: number): Promise<void> {
  for (let step = 0; step < (seconds * 1000) / STEP_MS; step++) {
    await clock.advance(STEP_MS)
    do await new Promise<void>(resolve => setTimeout(resolve, 1))
    while (rig.simulator.record.inService > 0)
  }
}

it('an hour of 200 subscriptions: none lapses, none waits longer than 60 % of its life, the pace is even', async () => {
  const clock = new Jittery()
  rig = await ApicRig.make({
    clock,
    simulator: { refreshTimeoutSeconds: 300 },
    config: {
      subscriptions: Array.from({ length: SUBSCRIPTIONS }, (_, index) => ({ mo: `uni/tn-${index}` })),
    },
    tuning: { spacingMs: TUNING.spacingMs },
  })
  const { record } = rig.simulator
  const isLive = (): number => rig.happenings.filter(one => one.type === 'feed_state' && one.state === 'live').length
  // Besides those of the config there is the one that the canary listens on.
  for (let second = 0; isLive() < SUBSCRIPTIONS + 1 && second < 60; second++) await turn(clock, 1)
  expect(isLive()).toBe(SUBSCRIPTIONS + 1)
  const before = record.requestCount()
  const startedAt = clock.wall()
  const startedMs = performance.now()
  await turn(clock, 3600)

  expect(record.lapses).toEqual([])
  expect(record.lapsedSessions).toEqual([])
  expect(record.sessions.length).toBe(1)
  expect(record.subscriptions.length).toBe(SUBSCRIPTIONS + 1)
  const widest = Math.max(...record.subscriptions.map(one => widestGap(one, clock.wall())))
  expect(widest).toBeLessThanOrEqual(0.6 * LIFE_MS)
  const perSecond = (record.requestCount() - before) / 3600
  const perEach = new Map<number, number>()
  for (const { at } of record.requests) {
    const second = Math.floor((at - startedAt) / 1000)
    if (second >= 0) perEach.set(second, (perEach.get(second) ?? 0) + 1)
  }
  const busiest = Math.max(...perEach.values())
  const { heapUsed, rss } = process.memoryUsage()
  const mebi = (bytes: number): number => Math.round(bytes / 1024 ** 2)
  process.stdout.write(
    `${SUBSCRIPTIONS} subscriptions for an hour: ${perSecond.toFixed(1)} requests per second, ${busiest} in the ` +
      `busiest, widest refresh gap ${(widest / 1000).toFixed(1)} s; daemon and simulator together ${mebi(heapUsed)} MiB heap, ` +
      `${mebi(rss)} MiB resident; ${((performance.now() - startedMs) / 1000).toFixed(0)} s\n`,
  )
  // A third of the life, up to a tenth earlier, is what each is renewed at: 10.6 a second, and little besides.
  expect(perSecond).toBeGreaterThan(SUBSCRIPTIONS / 20)
  expect(perSecond).toBeLessThan(12)
  // Made at the pace of what can wait, they fall due no closer than that; a reconcile comes at the same pace on top.
  expect(busiest).toBeLessThanOrEqual(2 * (1000 / TUNING.spacingMs))
}, 240_000)

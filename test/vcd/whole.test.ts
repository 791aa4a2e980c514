import { afterEach, describe, expect, it } from 'vitest'
import type { OpsEvent } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { seeded } from '../../src/simulators/vcd/world.ts'
import { openStore } from '../../src/store/open.ts'
import { startRunner } from '../../src/subscribers/runner.ts'
import { vcdSubscriber } from '../../src/subscribers/vcd/subscriber.ts'
import { CI_TOKEN, type Rig, startRig } from './rig.ts'

let rig: Rig
afterEach(() => rig.end())

const MINUTE = 60_000

/** Runs the real runner over the real store (in memory) and gives what the store holds at the end. */
async function runWhole(rig: Rig, script: (life: { restart(): Promise<void> }) => Promise<void>): Promise<OpsEvent[]> {
  const { clock } = rig
  const report = (happening: (typeof rig.happenings)[number]): void => void rig.happenings.push(happening)
  const limits = { maxBytes: 1 << 30, retainAckedMs: 0, maxDeadLetters: 10, clock, report }
  const store = await openStore({ stateDir: undefined, ...limits })
  const start = () =>
    startRunner({ subscriber: vcdSubscriber(rig.config()), store, clock, report, stateDir: rig.directory })
  let runner = start()
  const stop = async (): Promise<void> => {
    const deadline = new AbortController()
    let stopped = false
    const stopping = runner.stop(deadline.signal).then(() => {
      stopped = true
    })
    await rig.drive(() => stopped, 'the runner stopped')
    await stopping
  }
  await script({
    restart: async () => {
      await stop()
      runner = start()
    },
  })
  await stop()
  const events = store.read(0, 100_000).map(record => JSON.parse(new TextDecoder().decode(record.body)) as OpsEvent)
  await store.close()
  return events
}

describe('the whole way into the store', () => {
  it('loses none of some thousand rows and has none twice, with failing requests, late rows, ties and restarts', async () => {
    const random = seeded(7)
    rig = await startRig({
      seed: 11,
      cells: [
        { id: 'cell-a', skewMs: 0 },
        { id: 'cell-b', skewMs: 3000 },
        { id: 'cell-c', skewMs: -8000 },
      ],
      subMillisecond: true,
      // One row in ten is late, by up to five of the ten minutes of overlap.
      latenessMs: () => (random() < 0.1 ? random() * 5 * MINUTE : random() * 3000),
      fail: () => {
        if (random() >= 0.1) return undefined
        const faults = [
          { kind: 'status', status: 503 },
          { kind: 'html', status: 200 },
          { kind: 'reset' },
          { kind: 'lost' },
        ] as const
        return faults[Math.floor(random() * faults.length)]
      },
    })
    const { simulator, clock } = rig
    let began = Number.POSITIVE_INFINITY
    const events = await runWhole(rig, async ({ restart }) => {
      await rig.drive(() => rig.reported('feed_mode').some(one => one.mode === 'polling'), 'the first walk is over')
      began = clock.wall() + 10_000
      await clock.advance(20_000)
      for (let round = 0; round < 60; round++) {
        for (let row = 0; row < 40; row++) {
          const tokenId = random() < 0.5 ? CI_TOKEN : null
          simulator.write({ type: 'vm/modify', user: 'alice', org: 'acme', tokenId, success: random() > 0.1 })
          await clock.advance(random() < 0.5 ? 0 : Math.floor(random() * 400))
        }
        // A tie that is longer than a page.
        if (round % 20 === 5) {
          for (let row = 0; row < 300; row++) simulator.write({ type: 'vm/create', user: 'alice', org: 'acme' })
        }
        if (round % 25 === 24) await restart()
        await rig.drive(() => (rig.clock.next ?? 99_999) < 70_000 && rig.resting, 'a pause')
        await clock.advance(Math.min(rig.clock.next ?? 0, 70_000))
      }
      simulator.knobs.latenessMs = () => 0
      simulator.knobs.fail = undefined
      await rig.drive(() => simulator.record.rows.length >= 3300, 'late rows have come out')
      const end = clock.wall() + 12 * MINUTE
      await rig.drive(() => clock.wall() > end, 'some sweeps more')
    })
    for (const event of events) eventSchema.parse(event)
    expect(new Set(events.map(event => event.id)).size).toBe(events.length)
    const stored = new Map<string, OpsEvent>()
    for (const event of events) {
      const raw = event.data.raw as { eventId?: string } | undefined
      if (raw?.eventId === undefined) continue
      const id = raw.eventId.split(':').at(-1) ?? ''
      expect(stored.has(id)).toBe(false)
      stored.set(id, event)
    }
    const shown = simulator.record.rows.filter(row => row.timestampMs >= began)
    expect(shown.length).toBeGreaterThan(3000)
    expect(shown.filter(row => !stored.has(row.id))).toEqual([])
    expect(events.filter(event => event.data.kind === 'gap')).toEqual([])
    expect(rig.reported('feed_recovered').length).toBeGreaterThan(0)
    // The books of the cell and ours agree on who did it, for every row.
    const wrong = simulator.record.rows.filter(row => {
      const actor = stored.get(row.id)?.data.actor
      return (
        actor !== undefined &&
        (actor.tokenId !== (row.tokenId ?? undefined) || (actor.via === 'token') !== (row.tokenId !== null))
      )
    })
    expect(wrong).toEqual([])
    expect(simulator.record.requests.filter(({ status }) => status === 0 || status === 503).length).toBeGreaterThan(10)
    // One login for a session's life and none per poll or failure.
    expect(simulator.record.logins.filter(login => login.way === 'token').length).toBeLessThan(8)
  })
})

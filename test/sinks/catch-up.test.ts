import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { startPump } from '../../src/sinks/pump.ts'
import { openStore } from '../../src/store/open.ts'
import { append, range } from '../store/numbers.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { ScriptedSink } from '../support/scripted-sink.ts'

const STORED = 12_000

it.each([false, true])(
  'a backlog goes out while live events come in, and the loop turns (thread: %s)',
  async thread => {
    const stateDir = mkdtempSync(join(tmpdir(), 'opswire-catch-up-'))
    const clock = new ManualClock()
    const report = (): void => undefined
    const limits = { maxBytes: 2 ** 30, retainAckedMs: 0, maxDeadLetters: 10 }
    const store = await openStore({ stateDir, thread, ...limits, clock, report })
    if (thread) await until(() => store.thread, 'a thread that writes')
    for (let first = 1; first <= STORED; first += 500) await store.append(append(range(first, 500)))

    const sink = new ScriptedSink(512)
    const pump = startPump({ store, sink, clock, report })
    /** How much had been taken when a live append was durable. */
    const takenAtAppend: number[] = []
    let turns = 0
    for (let live = 0; sink.taken.length < STORED + live; turns++) {
      // One turn of the loop: a window is answered, and now and then live events come.
      sink.settleAll('ok')
      if (live < 200) {
        const first = STORED + live + 1
        live += 10
        await store.append(append(range(first, 10), { source: 'live' }))
        takenAtAppend.push(sink.taken.length)
      } else await clock.advance(10)
    }
    // Live events were not kept waiting for the backlog, which moved on between them.
    expect(takenAtAppend.length).toBe(20)
    expect(takenAtAppend.at(-1)).toBeLessThan(STORED + 200)
    expect(new Set(takenAtAppend).size).toBeGreaterThan(10)
    // No turn took more than a window from the loop.
    expect(turns).toBeGreaterThanOrEqual((STORED + 200) / 512)
    expect(sink.sent.map(record => record.seq)).toEqual(Array.from({ length: STORED + 200 }, (_, index) => index + 1))
    while (store.stats().unacked > 0) await clock.advance(100)
    await pump.stop(0)
    await store.close()
    rmSync(stateDir, { recursive: true, force: true })
  },
)

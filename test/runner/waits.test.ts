/** How long a source waits: before it is tried again, and before another successor is. */
import { describe, expect, it } from 'vitest'
import { Fatal, Retryable } from '../../src/errors.ts'
import { holdMs, SuccessorWaits } from '../../src/subscribers/waits.ts'
import { ManualClock } from '../support/manual-clock.ts'

const HOUR_MS = 3_600_000
const cut = new Retryable('socket_lost', 'the controller reboots')

/** When the successors are tried, after the first that failed at 0, if each fails at once. */
async function tries(endsBy: number | undefined, chance = 0.5, untilMs = endsBy ?? HOUR_MS, error: Error = cut) {
  const clock = new ManualClock()
  clock.chance = chance
  const waits = new SuccessorWaits(clock, endsBy)
  const found: number[] = []
  for (;;) {
    await clock.advance(waits.next(error))
    if (clock.now() >= untilMs) return found
    found.push(clock.now())
  }
}

function gaps(times: readonly number[]): number[] {
  return times.map((at, index) => at - (times[index - 1] ?? 0))
}

describe('the waits between successors', () => {
  it.each([0, 0.5, 0.999])('grow from half a minute to at most ten, with a chance of %d', async chance => {
    const all = gaps(await tries(undefined, chance, 20 * HOUR_MS))
    expect(Math.min(...all)).toBeGreaterThanOrEqual(30_000)
    expect(Math.max(...all)).toBeLessThanOrEqual(600_000)
  })

  it('are a few in the 72 minutes before the end of a session of a day', async () => {
    const all = await tries(72 * 60_000)
    expect(all.length).toBeGreaterThanOrEqual(3)
    expect(all.length).toBeLessThan(25)
    expect(gaps(all).at(-1)).toBeGreaterThanOrEqual(240_000)
  })

  it.each([20_000, 30_000, 120_000, 600_000, 72 * 60_000])(
    'let at least three more be tried in the %d ms that are left, however the dice fall',
    async leftMs => {
      for (const chance of [0, 0.5, 0.999]) expect((await tries(leftMs, chance)).length).toBeGreaterThanOrEqual(3)
    },
  )

  it('are no excuse to hurry once the end was named and did not come', async () => {
    const clock = new ManualClock()
    const waits = new SuccessorWaits(clock, 20_000)
    expect(waits.next(cut)).toBe(5000)
    await clock.advance(20_000)
    expect(waits.next(cut)).toBeGreaterThanOrEqual(30_000)
  })

  it('heed what the server wants, as far as the life that is left permits, and never hurry with refused credentials', async () => {
    const busy = new Retryable('throttled', 'busy', { afterMs: 300_000 })
    expect(new SuccessorWaits(new ManualClock(), undefined).next(busy)).toBe(300_000)
    expect((await tries(120_000, 0.5, 120_000, busy)).length).toBeGreaterThanOrEqual(3)
    const refused = new Fatal('auth_refused', 'wrong')
    expect(new SuccessorWaits(new ManualClock(), 120_000).next(refused)).toBe(300_000)
  })
})

describe('a failed attempt', () => {
  it('is followed by as long a wait as its error asks for', () => {
    expect(holdMs(new Fatal('auth_refused', 'wrong'))).toBe(300_000)
    expect(holdMs(new Retryable('throttled', 'busy', { afterMs: 20_000 }))).toBe(20_000)
    expect([holdMs(cut), holdMs(new Error('what?'))]).toEqual([0, 0])
  })
})

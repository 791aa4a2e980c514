import { describe, expect, it } from 'vitest'
import { Fatal } from '../../src/errors.ts'
import { Backoff } from '../../src/scheduler/backoff.ts'
import { sleep } from '../../src/scheduler/clock.ts'
import { every } from '../../src/scheduler/interval.ts'
import { supervise } from '../../src/scheduler/supervise.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'

const backoff = { firstMs: 1000, capMs: 60_000 }

describe('Backoff', () => {
  it('doubles its bound up to the cap, with full jitter, and starts over after a reset', () => {
    const clock = new ManualClock()
    const waits = new Backoff(clock, backoff)
    clock.chance = 0.999
    expect([1, 2, 3, 4, 5, 6, 7, 8].map(() => Math.round(waits.next() / 1000))).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
    clock.chance = 0
    expect(waits.next()).toBe(0)
    waits.reset()
    expect(waits.boundMs).toBe(1000)
  })
})

describe('supervise', () => {
  function rig() {
    const clock = new ManualClock()
    const stop = new AbortController()
    const failures: { message: string; waitMs: number }[] = []
    const options = {
      clock,
      signal: stop.signal,
      backoff,
      onFailure: (error: unknown, waitMs: number) => failures.push({ message: (error as Error)?.message, waitMs }),
    }
    return { clock, stop, failures, options }
  }

  it('tries for ever, with growing waits', async () => {
    const { clock, stop, failures, options } = rig()
    let attempts = 0
    const done = supervise(options, async () => {
      attempts++
      throw new Error('down')
    })
    await clock.advance(600_000)
    expect(attempts).toBeGreaterThan(15)
    expect(Math.max(...failures.map(failure => failure.waitMs))).toBe(30_000)
    stop.abort()
    await done
    expect(clock.waiting).toBe(0)
  })

  it('resets the backoff only after life was proved for longer than the wait', async () => {
    const { clock, stop, options } = rig()
    const numbers: number[] = []
    const done = supervise(options, async attempt => {
      numbers.push(attempt.number)
      // The first attempts answer a login and die at once; the fifth lives.
      attempt.alive()
      if (numbers.length === 5) {
        await sleep(clock, 120_000)
        attempt.alive()
      }
      throw new Error('lost')
    })
    await clock.advance(1_000_000)
    expect(numbers.slice(0, 5)).toEqual([0, 1, 2, 3, 4])
    expect(numbers[5]).toBeLessThan(numbers[4] ?? 0)
    stop.abort()
    await done
  })

  it('counts life from its first proof: a slow login is none', async () => {
    const { clock, stop, options } = rig()
    const numbers: number[] = []
    const done = supervise(options, async attempt => {
      numbers.push(attempt.number)
      await sleep(clock, 120_000)
      attempt.alive()
      throw new Error('lost')
    })
    await clock.advance(1_200_000)
    expect(numbers.slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5])
    stop.abort()
    await clock.advance(120_000)
    await done
  })

  it('takes what dies every few seconds for a storm, where that is asked for', async () => {
    const attemptsOf = async (stableMs: number): Promise<number> => {
      const { clock, stop, options } = rig()
      let attempts = 0
      const done = supervise({ ...options, backoff: { ...backoff, stableMs } }, async attempt => {
        attempts++
        attempt.alive()
        await sleep(clock, 10_000)
        attempt.alive()
        throw new Error('flapping')
      })
      await clock.advance(3_600_000)
      stop.abort()
      await clock.advance(10_000)
      await done
      return attempts
    }
    expect(await attemptsOf(0)).toBeGreaterThan(300)
    expect(await attemptsOf(30_000)).toBeLessThan(100)
  })

  it('holds as long as asked, unless it is woken', async () => {
    const { clock, stop, options } = rig()
    let attempts = 0
    let wake: (() => void) | undefined
    const done = supervise(
      {
        ...options,
        holdMs: error => (error instanceof Fatal ? 300_000 : 0),
        wake: callback => {
          wake = callback
          return () => {
            wake = undefined
          }
        },
      },
      async () => {
        attempts++
        throw new Fatal('auth_refused', 'wrong password')
      },
    )
    await clock.advance(299_000)
    expect(attempts).toBe(1)
    wake?.()
    await settle()
    expect(attempts).toBe(2)
    stop.abort()
    await done
  })

  it('does not spin on an attempt that ends at once', async () => {
    const { clock, stop, options } = rig()
    let attempts = 0
    const done = supervise(options, async () => {
      attempts++
    })
    await clock.advance(10_000)
    expect(attempts).toBeLessThan(10)
    stop.abort()
    await done
  })
})

describe('every', () => {
  it('never overlaps itself and pauses after the task', async () => {
    const clock = new ManualClock()
    const stop = new AbortController()
    const starts: number[] = []
    const done = every(
      clock,
      10_000,
      async () => {
        starts.push(clock.now())
        await sleep(clock, 7000)
      },
      { signal: stop.signal },
    )
    await clock.advance(60_000)
    expect(starts).toEqual([0, 17_000, 34_000, 51_000])
    stop.abort()
    await clock.advance(10_000)
    await done
    expect(clock.waiting).toBe(0)
  })

  it('rejects with what the task throws', async () => {
    const stop = new AbortController()
    const failing = every(new ManualClock(), 1000, () => Promise.reject(new Error('no')), { signal: stop.signal })
    await expect(failing).rejects.toThrow('no')
  })
})

import { describe, expect, it } from 'vitest'
import { LeaseKeeper, type LeaseOptions } from '../../src/scheduler/leases.ts'
import { Pace } from '../../src/scheduler/pace.ts'
import { ManualClock, settle } from '../support/manual-clock.ts'

function rig(maxConcurrency = 2, ratePerSecond = 1000) {
  const clock = new ManualClock()
  const pace = new Pace({ clock, maxConcurrency, ratePerSecond, burst: 1, spacingMs: 0, sessionSpacingMs: 0 })
  const keeper = new LeaseKeeper({ clock, pace })
  const renewals: { name: string; at: number }[] = []
  const lost: { name: string; error: unknown; at: number }[] = []
  const results: string[] = []
  const lease = (name: string, lifeMs: number, renew?: LeaseOptions['renew']): LeaseOptions => ({
    name,
    rank: 'renewal',
    lifeMs,
    renewMs: lifeMs / 3,
    renew: async signal => {
      renewals.push({ name, at: clock.now() })
      return renew?.(signal)
    },
    isFinal: error => (error as Error).message === 'gone',
    onLost: error => lost.push({ name, error, at: clock.now() }),
    onRenewed: result => results.push(result),
  })
  return { clock, keeper, renewals, lost, results, lease }
}

describe('LeaseKeeper', () => {
  it('renews at a third of the life, again and again, and never lets it lapse', async () => {
    const { clock, keeper, renewals, lost, lease } = rig()
    const held = keeper.add(lease('a', 60_000))
    let smallest = Number.POSITIVE_INFINITY
    for (let second = 0; second < 600; second++) {
      await clock.advance(1000)
      smallest = Math.min(smallest, held.marginMs())
    }
    expect(lost).toEqual([])
    expect(renewals.length).toBeGreaterThanOrEqual(29)
    expect(smallest).toBeGreaterThan(38_000)
    keeper.close()
    expect(clock.waiting).toBe(0)
  })

  it('counts a life from when it was asked for, not from when it was added', async () => {
    const { clock, keeper, renewals, lease } = rig()
    await clock.advance(15_000)
    keeper.add(lease('slow answer', 60_000), 0)
    await clock.advance(5000)
    expect(renewals).toEqual([{ name: 'slow answer', at: expect.closeTo(19_000, -2) }])
    keeper.close()
  })

  it('tries a failed renewal again inside the margin and says so', async () => {
    const { clock, keeper, results, lost, lease } = rig()
    let failures = 2
    keeper.add(
      lease('a', 60_000, async () => {
        if (failures-- > 0) throw new Error('503')
        return undefined
      }),
    )
    await clock.advance(50_000)
    expect(results.slice(0, 3)).toEqual(['failed', 'failed', 'retried'])
    expect(lost).toEqual([])
    keeper.close()
  })

  it('gives a refused lease up at once, and only that one', async () => {
    const { clock, keeper, lost, renewals, lease } = rig()
    keeper.add(
      lease('dead', 60_000, async () => {
        throw new Error('gone')
      }),
    )
    keeper.add(lease('well', 60_000))
    await clock.advance(100_000)
    expect(lost.map(entry => entry.name)).toEqual(['dead'])
    expect(renewals.filter(entry => entry.name === 'well').length).toBeGreaterThan(3)
    keeper.close()
  })

  it('loses a lease when its life runs out while the renewal hangs, not later', async () => {
    const { clock, keeper, lost, lease } = rig()
    keeper.add(lease('hangs', 60_000, signal => new Promise((_, reject) => signal.addEventListener('abort', reject))))
    await clock.advance(200_000)
    expect(lost).toEqual([
      {
        name: 'hangs',
        error: expect.objectContaining({ message: expect.stringContaining('not renewed within 60 s') }),
        at: 60_000,
      },
    ])
  })

  it('takes new terms from a renewal', async () => {
    const { clock, keeper, lease } = rig()
    const held = keeper.add(lease('session', 300_000, async () => ({ lifeMs: 600_000, renewMs: 200_000 })))
    await clock.advance(100_000)
    expect(held.marginMs()).toBeGreaterThan(580_000)
    keeper.close()
  })

  it('keeps 2,000 leases of 60 s over two lives at 50 ms a renewal, eight at a time', async () => {
    const { clock, keeper, lost, lease } = rig(8)
    let busiest = 0
    let busy = 0
    for (let index = 0; index < 2000; index++) {
      keeper.add(
        lease(`s${index}`, 60_000, async () => {
          busiest = Math.max(busiest, ++busy)
          await new Promise<void>(resolve => clock.after(50, resolve))
          busy--
          return undefined
        }),
      )
    }
    let smallest = Number.POSITIVE_INFINITY
    for (let second = 0; second < 120; second++) {
      await clock.advance(1000)
      smallest = Math.min(smallest, keeper.smallestMarginMs() ?? 0)
    }
    expect(lost).toEqual([])
    expect(busiest).toBe(8)
    expect(smallest).toBeGreaterThan(24_000)
    keeper.close()
  })

  it('spaces the starts', async () => {
    const { clock, keeper, renewals, lease } = rig(4, 10)
    for (let index = 0; index < 5; index++) keeper.add(lease(`s${index}`, 30_000))
    await clock.advance(10_000)
    const starts = renewals.map(entry => entry.at).sort((a, b) => a - b)
    for (let index = 1; index < starts.length; index++) {
      expect((starts[index] ?? 0) - (starts[index - 1] ?? 0)).toBeGreaterThanOrEqual(100)
    }
    keeper.close()
  })

  it('calls nothing after drop, also when a renewal was under way', async () => {
    const { clock, keeper, lost, results, lease } = rig()
    const answer = Promise.withResolvers<undefined>()
    const held = keeper.add(lease('a', 60_000, () => answer.promise))
    await clock.advance(20_000)
    held.drop()
    answer.resolve(undefined)
    await settle()
    await clock.advance(100_000)
    expect([lost, results]).toEqual([[], []])
    expect(clock.waiting).toBe(0)
  })
})

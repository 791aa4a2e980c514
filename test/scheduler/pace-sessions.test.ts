/** Who goes first of those that log in and those that keep a session alive. */
import { describe, expect, it } from 'vitest'
import { sleep } from '../../src/scheduler/clock.ts'
import { LeaseKeeper } from '../../src/scheduler/leases.ts'
import { Pace, type Turn } from '../../src/scheduler/pace.ts'
import { ManualClock } from '../support/manual-clock.ts'

const LOGIN: Turn = { rank: 'session' }
const REFRESH: Turn = { rank: 'session', living: true }

function rig() {
  const clock = new ManualClock()
  const pace = new Pace({
    clock,
    maxConcurrency: 4,
    ratePerSecond: 200,
    burst: 50,
    spacingMs: 0,
    sessionSpacingMs: 500,
  })
  const names: string[] = []
  const ask = (turn: Turn, name: string, signal = new AbortController().signal): Promise<void> =>
    pace.run(turn, signal, async () => {
      names.push(name)
      await sleep(clock, 1000)
    })
  return { clock, pace, names, ask }
}

describe('the rank session', () => {
  it('lets a session that lives be refreshed before others are begun, and keeps the order of each', async () => {
    const { clock, names, ask } = rig()
    const all = [
      ask(LOGIN, 'login 1'),
      ask(LOGIN, 'login 2'),
      ask(LOGIN, 'login 3'),
      ask(REFRESH, 'refresh 1'),
      ask(REFRESH, 'refresh 2'),
    ]
    await clock.advance(20_000)
    await Promise.all(all)
    expect(names).toEqual(['login 1', 'refresh 1', 'refresh 2', 'login 2', 'login 3'])
    expect(clock.waiting).toBe(0)
  })

  it('lets the logins go on when a refresh is given up', async () => {
    const { clock, names, ask } = rig()
    const gone = new AbortController()
    const all = [ask(LOGIN, 'login 1'), ask(LOGIN, 'login 2')]
    const refresh = ask(REFRESH, 'refresh', gone.signal)
    gone.abort(new Error('dropped'))
    await expect(refresh).rejects.toThrow('dropped')
    await clock.advance(10_000)
    await Promise.all(all)
    expect(names).toEqual(['login 1', 'login 2'])
  })

  it('is what a lease of a session asks for: no crowd of logins costs it its life', async () => {
    const { clock, pace, names, ask } = rig()
    const keeper = new LeaseKeeper({ clock, pace })
    let renewed = 0
    let lost = 0
    keeper.add({
      name: 'session',
      rank: 'session',
      lifeMs: 30_000,
      renewMs: 10_000,
      renew: async () => {
        renewed++
        return undefined
      },
      isFinal: () => false,
      onLost: () => lost++,
      onRenewed: () => undefined,
    })
    const logins = Array.from({ length: 40 }, (_, index) => ask(LOGIN, `login ${index}`))
    await clock.advance(70_000)
    await Promise.all(logins)
    expect([names.length, lost]).toEqual([40, 0])
    expect(renewed).toBeGreaterThanOrEqual(5)
    keeper.close()
  })
})

import { afterEach, describe, expect, it } from 'vitest'
import { PageSize } from '../../src/subscribers/vcd/page-size.ts'
import { vcdSubscriber } from '../../src/subscribers/vcd/subscriber.ts'
import { type Rig, startRig } from './rig.ts'

const ROW = { type: 'vm/modify', user: 'alice', org: 'acme' }

describe('page size', () => {
  const good = (size: PageSize, pages: number): void => {
    for (let page = 0; page < pages; page++) {
      size.grow()
      size.good()
    }
  }

  it('shrinks when a page is too slow and comes back after good ones, step by step', () => {
    const size = new PageSize()
    size.slow()
    size.slow()
    expect(size.current).toBe(32)
    good(size, 17)
    expect(size.current).toBe(64)
    good(size, 100)
    expect(size.current).toBe(128)
  })

  it('waits longer after each try that was too slow again', () => {
    const size = new PageSize()
    size.slow()
    const tries: number[] = []
    for (let page = 0; page < 1000; page++) {
      size.grow()
      if (size.current === 128) {
        tries.push(page)
        size.slow()
      } else size.good()
    }
    expect(tries).toEqual([16, 49, 114, 243, 500])
  })

  it('never goes above what was refused', () => {
    const size = new PageSize()
    expect(size.refused()).toBe(true)
    size.slow()
    good(size, 1000)
    expect(size.current).toBe(64)
    expect([size.refused(), size.refused(), size.refused()]).toEqual([true, true, false])
  })
})

describe('pages of a cell', () => {
  let rig: Rig
  afterEach(() => rig.end())

  const walked = (): Promise<boolean> =>
    rig.drive(() => rig.reported('feed_mode').at(-1)?.mode === 'polling', 'the first walk is over')

  it('are large again some time after one was too slow', async () => {
    rig = await startRig()
    let slow = true
    rig.simulator.knobs.fail = ({ path }) =>
      slow && path.includes('auditTrail') && path.includes('pageSize=128') ? { kind: 'hang' } : undefined
    rig.read(vcdSubscriber(rig.config()))
    await rig.drive(() => rig.simulator.record.requests.some(({ path }) => path.includes('pageSize=128')), 'asked')
    await rig.clock.advance(30_000)
    await walked()
    slow = false
    const sizes = (): (string | null)[] =>
      rig.simulator.record.requests
        .filter(({ path }) => path.includes('auditTrail'))
        .map(({ path }) => new URLSearchParams(path).get('pageSize'))
    expect(sizes().at(-1)).toBe('64')
    await rig.turns(20)
    expect(sizes().at(-1)).toBe('128')
    expect(rig.failures).toMatchObject([{ code: 'timeout' }])
  })

  it('are read to the end of a millisecond where the cell counts nothing', async () => {
    rig = await startRig({ omitTotal: true })
    const now = rig.clock.wall()
    for (let row = 0; row < 500; row++) rig.simulator.write({ ...ROW, atMs: now - 40_000 })
    for (let row = 0; row < 200; row++) rig.simulator.write({ ...ROW, atMs: now - 30_000 + row })
    rig.read(vcdSubscriber(rig.config({ backfill: '1h' })))
    await walked()
    const read = rig.rows()
    expect(rig.simulator.record.rows.filter(row => !read.has(row.id))).toEqual([])
    expect(rig.gaps()).toEqual([])
    expect(rig.repeats).toBe(0)
  })
})

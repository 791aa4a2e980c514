import { describe, expect, it } from 'vitest'
import { ControllerRow } from '../../src/subscribers/apic/controllers.ts'

describe('the row', () => {
  it('sticks to one, moves on from an unfit one, and comes back to it last', () => {
    const row = new ControllerRow(['a', 'b', 'c'])
    expect(row.current).toBe('a')
    row.unfit('a', 1000)
    expect(row.current).toBe('b')
    row.lost('b', 3_600_000, 2000)
    expect(row.current).toBe('b')
    row.unfit('b', 3000)
    expect(row.current).toBe('c')
    row.unfit('c', 4000)
    expect(row.current).toBe('a')
  })

  it('takes a second short life in a row for trouble, not the first', () => {
    const row = new ControllerRow(['a', 'b'])
    row.lost('a', 5000, 1000)
    row.lost('a', 100_000, 2000)
    row.lost('a', 5000, 3000)
    expect(row.current).toBe('a')
    row.lost('a', 5000, 4000)
    expect(row.current).toBe('b')
  })

  it('knows whether another was in no trouble lately', () => {
    const row = new ControllerRow(['a', 'b'])
    expect(row.hasBetterThan('a', 0)).toBe(true)
    row.unfit('b', 1000)
    expect(row.hasBetterThan('a', 2000)).toBe(false)
    expect(row.hasBetterThan('a', 16 * 60_000)).toBe(true)
    expect(new ControllerRow(['a']).hasBetterThan('a', 0)).toBe(false)
  })
})

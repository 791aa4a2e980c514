/** The model run, short. The long one: `npm run model -- vcd`; what it showed stands in docs/VCD.md. */
import { describe, expect, it } from 'vitest'
import { runModel } from './model.ts'

const MINUTE = 60_000

describe('a cloud in which everything goes wrong', () => {
  it('loses no row, tells none twice, and knows the token of each', async () => {
    const result = await runModel({ events: 2500, seed: 7, lateMs: 9.5 * MINUTE, overlapMs: 10 * MINUTE })
    expect(result).toMatchObject({
      lost: 0,
      twice: 0,
      invented: 0,
      wrongToken: 0,
      flaggedTwice: 0,
      gaps: 0,
      announced: 0,
    })
    expect(result.told).toBeGreaterThanOrEqual(2500)
    // It was not a quiet run.
    expect(result.deaths).toBeGreaterThan(0)
    expect(result.ties).toBeGreaterThan(0)
    expect(result.failed).toBeGreaterThan(2)
    expect(result.repeats).toBeGreaterThan(0)
  }, 120_000)

  it('finds and tells what becomes visible later than the overlap', async () => {
    const result = await runModel({ events: 1000, seed: 11, lateMs: 30 * MINUTE, overlapMs: 10 * MINUTE })
    expect(result).toMatchObject({ lost: 0, twice: 0, invented: 0, wrongToken: 0, gaps: 0 })
    expect(result.laterThanOverlap).toBeGreaterThan(10)
    expect(result.announced).toBeGreaterThan(0)
  }, 120_000)
})

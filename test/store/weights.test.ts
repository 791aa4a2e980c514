/** What trimming takes to be in the log, held against the rows themselves. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Weights } from '../../src/store/weights.ts'

const MIB = 1024 * 1024

it('each step is what the rows say, whatever was written, buried and trimmed before', () => {
  const bytes = fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 200, max: 5000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 200, max: 6 * MIB }) },
  )
  const step = fc.oneof(
    fc.record({ push: fc.array(bytes, { minLength: 1, maxLength: 700 }) }),
    fc.record({ trim: fc.double({ min: 0, max: 1, noNaN: true }), written: fc.boolean() }),
    fc.record({ bury: fc.double({ min: 0, max: 1, noNaN: true }) }),
  )
  fc.assert(
    fc.property(fc.nat(3000), fc.array(step, { maxLength: 30 }), (before, steps) => {
      const rows = new Map(Array.from({ length: before }, (_, index) => [index + 1, 300]))
      const weights = new Weights(before)
      let [first, last] = [1, before]
      const at = (part: number): number => first + Math.floor(part * (last - first))
      const read = (after: number, through: number, limit: number) => {
        const found: { seq: number; bytes: number }[] = []
        for (let seq = Math.max(after + 1, first); seq <= through && found.length < limit; seq++) {
          found.push({ seq, bytes: rows.get(seq) ?? Number.NaN })
        }
        return found
      }
      for (const one of steps) {
        if ('push' in one) {
          for (const size of one.push) {
            rows.set(++last, size)
            weights.push(last, size)
          }
        } else if (last < first) continue
        else if ('bury' in one) {
          rows.set(at(one.bury), 192)
          weights.changed(at(one.bury))
        } else {
          const through = at(one.trim)
          const { seq, bytes, all } = weights.oldest(through, read)
          const taken = read(0, seq, Number.MAX_SAFE_INTEGER)
          expect(seq).toBeGreaterThanOrEqual(first)
          expect(seq).toBeLessThanOrEqual(through)
          expect(bytes).toBe(taken.reduce((sum, row) => sum + row.bytes, 0))
          expect(all).toBe(seq === through)
          // One row may be larger than a step.
          expect(taken.length === 1 || (taken.length <= 1024 && bytes <= 4 * MIB)).toBe(true)
          if (!one.written) continue
          for (; first <= seq; first++) rows.delete(first)
          weights.drop(seq)
        }
      }
    }),
  )
})

it('what was written since the start is trimmed without being read again', () => {
  const weights = new Weights(0)
  for (let seq = 1; seq <= 5000; seq++) weights.push(seq, 2500)
  let trimmed = 0
  for (;;) {
    const { seq, bytes, all } = weights.oldest(5000, () => {
      throw new Error('it is read')
    })
    expect(bytes).toBe((seq - trimmed) * 2500)
    trimmed = seq
    weights.drop(seq)
    if (all) break
  }
  expect(trimmed).toBe(5000)
})

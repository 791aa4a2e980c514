/** docs/BENCHMARKS.md shows the figures that are checked in beside it, and shows them all. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { DOCUMENT, recordedFigures, withTables } from '../../bench/document.ts'
import { block, report } from '../../bench/report.ts'
import { fromJson, PARTS, type Result, toJson } from '../../bench/result.ts'

const document = readFileSync(DOCUMENT, 'utf8')
const figures = recordedFigures()

describe('docs/BENCHMARKS.md', () => {
  it('has the tables that docs/benchmarks.json makes', () => {
    expect(withTables(document, figures)).toBe(document)
  })

  it('has every part measured, with day, commit and machine', () => {
    expect(Object.keys(figures).sort()).toEqual([...PARTS].sort())
    for (const part of PARTS) {
      expect(block(figures, part)).toMatch(/^Measured on \d{4}-\d\d-\d\d, commit [0-9a-f]{7,}\+?: \d+ × .+, load /)
    }
  })

  it('would show other figures', () => {
    const { memory } = figures
    if (memory === undefined) throw new Error('no memory')
    const other: Result = { ...figures, memory: { ...memory, figures: { ...memory.figures, idleBytes: 2 ** 40 } } }
    expect(withTables(document, other)).not.toBe(document)
    expect(withTables(document, other)).toContain('1048576')
  })

  it('has a place for every part', () => {
    expect(() => withTables(document.replace('<!-- bench:latency -->', ''), figures)).toThrow('no place for latency')
  })
})

describe('the figures as JSON', () => {
  it('come back as they were', () => {
    expect(report(fromJson(toJson(figures)))).toBe(report(figures))
    expect(toJson(fromJson(toJson(figures)))).toBe(toJson(figures))
  })

  it('keep what could not be measured apart from zero', () => {
    const { memory } = figures
    if (memory === undefined) throw new Error('no memory')
    const blind: Result = { memory: { ...memory, figures: { ...memory.figures, peakBytes: Number.NaN } } }
    expect(block(fromJson(toJson(blind)), 'memory')).toMatch(/\| +– \|$/)
  })
})

import { describe, expect, it } from 'vitest'
import { compileFilter, FilterRefused } from '../../src/simulators/vcd/fiql.ts'

describe('FIQL', () => {
  it('binds AND before OR and honours parentheses', () => {
    const fields = {
      a: { kind: 'text', get: (row: string) => row[0] ?? null },
      b: { kind: 'text', get: (row: string) => row[1] ?? null },
    } as const
    const matches = (text: string): string[] =>
      ['11', '12', '21', '22'].filter(compileFilter<string>(text, fields, false))
    expect(matches('a==1,a==2;b==2')).toEqual(['11', '12', '22'])
    expect(matches('(a==1,a==2);b==2')).toEqual(['12', '22'])
    expect(matches('a=gt=1;b=le=1')).toEqual(['21'])
    expect(() => matches('c==1')).toThrow(FilterRefused)
    expect(() => matches('a==1;')).toThrow(FilterRefused)
  })
})

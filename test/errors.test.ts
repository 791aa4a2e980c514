import { describe, expect, it } from 'vitest'
import { Retryable } from '../src/errors.ts'

describe('Retryable', () => {
  it.each([
    ['a day', 86_400_000, 300_000],
    ['a minute', 60_000, 60_000],
    ['nothing', 0, 0],
    ['the past', -5000, 0],
    ['for ever', Number.POSITIVE_INFINITY, 300_000],
    ['no number', Number.NaN, undefined],
    ['no time named', undefined, undefined],
  ])('heeds what the other side wishes for as long as that is sane: %s', (_, afterMs, heeded) => {
    expect(new Retryable('throttled', 'busy', afterMs === undefined ? {} : { afterMs }).afterMs).toBe(heeded)
  })
})

/** What a login answers is taken at its word, unless the word makes no sense. */
import { describe, expect, it } from 'vitest'
import { decodeChecked, type Grant, grantOf } from '../../src/subscribers/apic/auth.ts'
import { HttpAnswer } from '../../src/subscribers/http.ts'

const DAY_MS = 86_400_000

function grant(attributes: Record<string, string>, before?: Grant): Grant {
  const text = JSON.stringify({ imdata: [{ aaaLogin: { attributes: { token: 'T+/=', ...attributes } } }] })
  const answer = new HttpAnswer(200, {}, text)
  return grantOf(answer, decodeChecked(answer), 0, before)
}

const lives = ({ refreshTimeoutMs, maximumLifetimeMs }: Grant): number[] => [refreshTimeoutMs, maximumLifetimeMs]

describe('grantOf', () => {
  it.each([
    ['as said', '600', '86400', 600_000, DAY_MS],
    ['a lifetime shorter than the refresh', '600', '100', 100_000, 100_000],
    ['nought', '0', '0', 300_000, DAY_MS],
    ['negative', '-5', '-1', 300_000, DAY_MS],
    ['empty', '', '', 300_000, DAY_MS],
    ['words', 'never', 'always', 300_000, DAY_MS],
    ['no end', 'Infinity', '1e999', 300_000, DAY_MS],
    ['ten years', '315360000', '315360000', 7 * DAY_MS, 7 * DAY_MS],
    ['a moment', '0.001', '0.001', 1000, 1000],
  ])('%s', (_, refreshTimeoutSeconds, maximumLifetimeSeconds, refreshMs, lifetimeMs) => {
    expect(lives(grant({ refreshTimeoutSeconds, maximumLifetimeSeconds }))).toEqual([refreshMs, lifetimeMs])
  })

  it('keeps what a refresh leaves out, and takes what it changes', () => {
    const first = grant({
      refreshTimeoutSeconds: '600',
      maximumLifetimeSeconds: '14400',
      urlToken: 'c',
      version: '6.0',
    })
    const silent = grant({ token: 'new' }, first)
    expect({ ...silent, token: 'T+/=' }).toEqual(first)
    expect(lives(grant({ refreshTimeoutSeconds: '900' }, silent))).toEqual([900_000, 14_400_000])
    expect(lives(grant({ refreshTimeoutSeconds: '0' }, first))).toEqual([600_000, 14_400_000])
  })

  it('refuses an answer without a token', () => {
    expect(() => grant({ token: '' })).toThrow(/no token in the answer/)
  })
})

describe('decodeChecked', () => {
  const answer = (status: number, text: string, headers: Record<string, string> = {}): HttpAnswer =>
    new HttpAnswer(status, headers, text)
  const page = '<html><h1>503 Service Temporarily Unavailable</h1></html>'
  const error = (text: string): string => JSON.stringify({ imdata: [{ error: { attributes: { code: '503', text } } }] })

  it.each([
    ['a page', answer(503, page), undefined],
    ['a page under 200', answer(200, page), undefined],
    ['accepted, queue full', answer(202, '{"imdata":[]}'), undefined],
    ['too many, with a time', answer(429, '{"imdata":[]}', { 'retry-after': '7' }), 7000],
    ['overload in JSON', answer(503, error('busy')), undefined],
    ['overload without a body', answer(504, ''), undefined],
  ])('calls %s throttled', (_, given, afterMs) => {
    expect(() => decodeChecked(given)).toThrow(expect.objectContaining({ code: 'throttled', afterMs }))
  })

  it('takes a 503 that says too big for what it says (releases differ)', () => {
    const text = 'Unable to process the query, result dataset is too big'
    expect(decodeChecked(answer(503, error(text))).error).toEqual({ code: '503', text })
  })
})

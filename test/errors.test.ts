import { describe, expect, it } from 'vitest'
import { Fatal, fileError, Retryable } from '../src/errors.ts'

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

describe('a file that can not be read or made', () => {
  const caused = (code: string): Error => Object.assign(new Error(code), { code })

  it.each(['EMFILE', 'ENFILE', 'ENOMEM', 'ENOSPC', 'EDQUOT', 'EIO'])(
    'will be well again when the machine is: %s',
    code => {
      const error = fileError('config', "can't make it", caused(code))
      expect([error instanceof Retryable, error.code]).toEqual([true, 'store'])
    },
  )

  it.each(['ENOENT', 'EACCES', 'EROFS', 'EISDIR'])('waits for somebody who mends it: %s', code => {
    const error = fileError('tls', "can't read it", caused(code))
    expect([error instanceof Fatal, error.code]).toEqual([true, 'tls'])
  })
})

/** Units, and the nearest word. */
import { describe, expect, it } from 'vitest'
import { distance, nearest } from '../../src/config/nearest.ts'
import { formatDuration, formatSize, parseDuration, parseSize } from '../../src/config/units.ts'

describe('durations and sizes', () => {
  it('are read as people write them', () => {
    expect(['10s', '5m', '1h', '7d', '2w', '500ms', '1h30m', '0s', '1.5h'].map(parseDuration)).toEqual([
      10_000, 300_000, 3_600_000, 604_800_000, 1_209_600_000, 500, 5_400_000, 0, 5_400_000,
    ])
    expect(['10', '', 's', '-1s', '1 s', '1H', '1s1'].map(parseDuration)).toEqual(Array(7).fill(undefined))
    expect(['64KiB', '500MB', '2 GiB', '10B'].map(parseSize)).toEqual([65_536, 500_000_000, 2_147_483_648, 10])
    expect(['64', 'KiB', '-1B', '1kb'].map(parseSize)).toEqual(Array(4).fill(undefined))
  })

  it('are written so that they read the same', () => {
    for (const ms of [0, 1, 999, 1000, 90_000, 3_600_000, 604_800_000]) {
      expect(parseDuration(formatDuration(ms))).toBe(ms)
    }
    for (const bytes of [1, 1023, 1024, 1024 ** 2 * 3, 1024 ** 3]) expect(parseSize(formatSize(bytes))).toBe(bytes)
  })
})

describe('the nearest word', () => {
  const keys = ['verify', 'ca_file', 'fingerprint_sha256', 'filter', 'query_target', 'max_age']

  it('is found through typing slips, case, hyphens and old names', () => {
    expect(
      ['verfy', 'veirfy', 'cafile', 'query-target', 'maxAge', 'query-target-filter', 'fingerprint'].map(word =>
        nearest(word, keys),
      ),
    ).toEqual(['verify', 'verify', 'ca_file', 'query_target', 'max_age', 'filter', 'fingerprint_sha256'])
  })

  it('is not guessed from afar', () => {
    expect(['zzz', 'eu', 'password', ''].map(word => nearest(word, [...keys, 'au']))).toEqual(Array(4).fill(undefined))
  })

  it('counts edits, a swap of neighbours as one', () => {
    expect([
      distance('', 'abc'),
      distance('abc', 'abc'),
      distance('abc', 'acb'),
      distance('kitten', 'sitting'),
    ]).toEqual([3, 0, 1, 3])
  })
})

import { expect, test } from 'vitest'
import { matcherOf, redacted } from '../../src/subscribers/raas/redact.ts'
import { isoOfUs, pageOf, parseUs } from '../../src/subscribers/raas/rows.ts'

test.each([
  ['2026-03-12T08:17:44.720943', '2026-03-12T08:17:44.720943Z'],
  ['2026-03-12 08:17:44.720943', '2026-03-12T08:17:44.720943Z'],
  ['2026-03-12T08:17:44Z', '2026-03-12T08:17:44.000000Z'],
  ['2026-03-12T08:17:44.7Z', '2026-03-12T08:17:44.700000Z'],
  ['2026-03-12T08:17:44.720943999', '2026-03-12T08:17:44.720943Z'],
  ['2026-03-12T08:17:44.720943+00:00', '2026-03-12T08:17:44.720943Z'],
  ['2026-03-12T10:17:44.720943+02:00', '2026-03-12T08:17:44.720943Z'],
  ['2026-03-12 10:17:44.720943+02', '2026-03-12T08:17:44.720943Z'],
  ['2026-03-12T03:47:44.720943-0430', '2026-03-12T08:17:44.720943Z'],
])('time %s', (text, iso) => {
  expect(isoOfUs(parseUs(text) ?? 0)).toBe(iso)
})

test.each([undefined, null, '', 'yesterday', 17, '2026-03-12'])('no time: %s', value => {
  expect(parseUs(value)).toBeUndefined()
})

test('pages: results, a bare array, an object by minion, nothing', () => {
  expect(pageOf({ count: 7, limit: 2, results: [1, 2] })).toEqual({ rows: [1, 2], count: 7 })
  expect(pageOf([1])).toEqual({ rows: [1], count: undefined })
  expect(pageOf({ web01: { return: true } })).toEqual({
    rows: [{ minion_id: 'web01', return: true }],
    count: undefined,
  })
  expect(pageOf(null)).toEqual({ rows: [], count: undefined })
})

test.each([
  ['state.*', 'state.apply', true],
  ['state.*', 'mystate.apply', false],
  ['cmd.run', 'cmd.run_all', false],
  ['cmd.run?all', 'cmd.run_all', true],
  ['test.[pe]*', 'test.ping', true],
  ['test.[!p]*', 'test.ping', false],
  ['a[', 'a[', true],
])('pattern %s, function %s: %s', (pattern, name, matches) => {
  expect(matcherOf([pattern])(name)).toBe(matches)
})

test('masks telling names at any depth, and the configured ones', () => {
  const value = { user: 'a', Password: 'x', deep: [{ api_key: 'y', Ssn: '1', empty_token: '' }], 'X-XSRFToken': 'z' }
  expect(redacted(value, ['ssn'])).toEqual({
    user: 'a',
    Password: '********',
    deep: [{ api_key: '********', Ssn: '********', empty_token: '' }],
    'X-XSRFToken': '********',
  })
})

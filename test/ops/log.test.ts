import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { createLog } from '../../src/ops/log.ts'
import { isoTime, printable, word } from '../../src/ops/text.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { START } from './happenings.ts'

test('a line is one JSON object with level, time and message', () => {
  const lines: string[] = []
  const log = createLog({ level: 'info', clock: new ManualClock(START), sink: line => lines.push(line) })
  log.write('info', 'fabric-a is up', { source: 'fabric-a', code: undefined, retryInMs: 5 })
  log.write('debug', 'not written')
  expect(lines).toEqual([
    '{"level":"info","time":"2026-02-03T04:05:06.789Z","source":"fabric-a","retryInMs":5,"msg":"fabric-a is up"}\n',
  ])
  expect(log.enabled('debug')).toBe(false)
  expect(log.enabled('warn')).toBe(true)
})

test('control characters of foreign text never reach a terminal, nor a second line', () => {
  const lines: string[] = []
  const log = createLog({ level: 'info', clock: new ManualClock(START), sink: line => lines.push(line) })
  const evil = 'a\u001b[31mred\u0007\r\n{"level":"fatal"}\u0000\u009b2J\u202eabc\u2028x\ud800y'
  log.write('info', evil, { field: evil })
  expect(lines).toHaveLength(1)
  const { msg, field } = JSON.parse(lines[0] ?? '') as { msg: string; field: string }
  expect(msg).toBe('a [31mred {"level":"fatal"} 2J abc x y')
  expect(field).toBe(msg)
  expect(lines[0]?.slice(0, -1)).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})

test.each([
  ['a DN stays readable', 'topology/pod-1/node-101/sys/phys-[eth1/7]/phys/fault-F1394', undefined],
  ['a digest stays readable', `fingerprint is ${'0a1b2c3d'.repeat(8)}`, undefined],
  ['a uuid stays readable', 'urn:vcloud:token:123e4567-e89b-12d3-a456-426614174000', undefined],
  ['a plain sentence about tokens stays', 'the token was refused: log in anew', undefined],
  ['userinfo', 'see https://bob:hunter2@host/x', 'see https://********@host/x'],
  ['bearer', 'sent bearer abcdef123', 'sent bearer ********'],
  ['query', '/a?refresh_token=zzz&b=1', '/a?refresh_token=********&b=1'],
  ['json', '{"password": "x y"}', '{"password":"********"}'],
  ['a long opaque run', `/socket${'aB3'.repeat(20)}`, '/********'],
])('masks what looks like a secret and nothing else: %s', (_, text, masked) => {
  expect(printable(text)).toBe(masked ?? text)
})

test('text is cut, words and times are bounded', () => {
  expect(printable('x '.repeat(5000), 20)).toHaveLength(20)
  expect(word('socket_lost')).toBe('socket_lost')
  expect(word('')).toBe('other')
  expect(word('GET /api')).toBe('other')
  expect(word('a'.repeat(41))).toBe('other')
  expect(isoTime(undefined)).toBeNull()
  expect(isoTime(Number.NaN)).toBeNull()
  expect(isoTime(START)).toBe('2026-02-03T04:05:06.789Z')
})

test('by default lines go to stderr and nothing goes to stdout', () => {
  const log = fileURLToPath(new URL('../../src/ops/log.ts', import.meta.url))
  const clock = fileURLToPath(new URL('../../src/scheduler/clock.ts', import.meta.url))
  const script = `
    const { createLog } = await import(${JSON.stringify(log)})
    const { systemClock } = await import(${JSON.stringify(clock)})
    createLog({ level: 'info', clock: systemClock }).write('info', 'hello')
    process.exit(0)`
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  expect(child.stdout).toBe('')
  expect(child.stderr).toMatch(/^\{"level":"info","time":"[^"]+","msg":"hello"\}\n$/)
  expect(child.status).toBe(0)
})

import { expect, test } from 'vitest'
import type { Fact } from '../../src/event.ts'
import { contentDigest, normaliseReturn } from '../../src/subscribers/raas/normalise-return.ts'
import { readReturn } from '../../src/subscribers/raas/rows.ts'
import { verdictOf } from '../../src/subscribers/raas/verdict.ts'

const ok = { result: true, changes: {}, comment: '', __run_num__: 0 }
const changed = { ...ok, changes: { diff: '+1' } }
const broken = { ...ok, result: false }
const would = { ...ok, result: null, changes: { diff: '+1' } }

function row(fun: string, body: unknown, full: Readonly<Record<string, unknown>> = {}, hasErrors: unknown = false) {
  const jid = '20260312081501123456'
  return readReturn({ jid, minion_id: 'web01', master: 'm', fun, has_errors: hasErrors, return: body, full_ret: full })
}

const good = { retcode: 0, success: true }

// raas.md §2.4: function, return, full_ret, has_errors → outcome, reason, [failed, changed, total]
test.each([
  ['ping', 'test.ping', true, good, false, 'success', 'ok', null],
  ['ping refused', 'test.ping', false, good, false, 'failure', 'returned false', null],
  ['saltutil false', 'saltutil.sync_all', false, {}, false, 'failure', 'returned false', null],
  ['false is an answer elsewhere', 'service.status', false, good, false, 'success', 'ok', null],
  ['has_errors', 'test.ping', true, good, true, 'failure', 'has_errors', null],
  ['has_errors as text', 'test.ping', true, good, 'True', 'failure', 'has_errors', null],
  ['success false', 'test.ping', true, { success: false }, false, 'failure', 'success false', null],
  ['retcode', 'cmd.run', 'oops', { retcode: 127, success: true }, false, 'failure', 'retcode 127', null],
  ['retcode as text', 'cmd.run', 'oops', { retcode: '2' }, false, 'failure', 'retcode 2', null],
  ['text is no verdict', 'cmd.run', "ERROR executing 'x'", good, false, 'success', 'ok', null],
  [
    'run_all',
    'cmd.run_all',
    { pid: 1, retcode: 3, stdout: '', stderr: 'x' },
    good,
    false,
    'failure',
    'inner retcode 3',
    null,
  ],
  ['run_all good', 'cmd.run_all', { pid: 1, retcode: 0, stdout: '', stderr: '' }, good, false, 'success', 'ok', null],
  ['states good', 'state.apply', { 'pkg_|-a_|-a_|-installed': ok }, good, false, 'success', 'ok, 1 states', [0, 0, 1]],
  [
    'states changed',
    'state.highstate',
    { 'pkg_|-a_|-a_|-installed': ok, 'file_|-b_|-/b_|-managed': changed },
    good,
    false,
    'success',
    'ok, 1 of 2 states changed',
    [0, 1, 2],
  ],
  [
    'states failed although success and retcode say well',
    'state.sls',
    { 'pkg_|-a_|-a_|-installed': broken, 'file_|-b_|-/b_|-managed': changed },
    good,
    false,
    'failure',
    '1 of 2 states failed',
    [1, 1, 2],
  ],
  [
    'test mode',
    'state.apply',
    { 'file_|-b_|-/b_|-managed': would },
    good,
    false,
    'success',
    'ok, 1 of 1 states changed',
    [0, 1, 1],
  ],
  ['compile error', 'state.apply', ['No matching sls found'], {}, false, 'failure', 'state compile error', null],
  ['a list is an answer elsewhere', 'network.ip_addrs', ['10.0.0.1'], good, false, 'success', 'ok', null],
  [
    'missing function',
    'nope.nope',
    "'nope.nope' is not available.",
    {},
    null,
    'failure',
    'function not available',
    null,
  ],
  [
    'exception, success and retcode unset',
    'disk.usage',
    'The minion function caused an exception: Traceback (most recent call last):',
    {},
    null,
    'failure',
    'exception',
    null,
  ],
  ['bad arguments', 'test.arg', 'Passed invalid arguments to test.arg', {}, null, 'failure', 'exception', null],
  [
    'orchestration',
    'state.orch',
    { data: { m_master: { 'salt_|-a_|-a_|-state': broken } }, outputter: 'highstate', retcode: 1 },
    good,
    false,
    'failure',
    '1 of 1 states failed',
    [1, 0, 1],
  ],
  [
    'orchestration that could not be compiled',
    'state.orch',
    { data: { m_master: ['Rendering SLS failed'] }, outputter: 'highstate' },
    good,
    false,
    'failure',
    'state compile error',
    null,
  ],
  [
    'result as text, and an entry of another shape',
    'state.apply',
    { 'pkg_|-a_|-a_|-installed': { ...ok, result: 'False' }, retcode: 2 },
    good,
    false,
    'failure',
    '1 of 1 states failed',
    [1, 0, 1],
  ],
  [
    'runner retcode',
    'state.orch',
    { data: {}, outputter: 'highstate', retcode: 1 },
    good,
    false,
    'failure',
    'inner retcode 1',
    null,
  ],
  ['binary', 'cp.get_file_str', 'b64:AAEC', good, false, 'success', 'ok', null],
  ['null', 'test.ping', null, good, null, 'success', 'ok', null],
])('verdict: %s', (_name, fun, body, full, hasErrors, outcome, reason, counts) => {
  const verdict = verdictOf(row(fun, body, full, hasErrors))
  expect([verdict.outcome, verdict.reason]).toEqual([outcome, reason])
  const { failed, changed: changes, total } = verdict
  expect([failed, changes, total]).toEqual(counts ?? [null, null, null])
})

test('several signs are all told', () => {
  const verdict = verdictOf(
    row('state.apply', { 'pkg_|-a_|-a_|-installed': broken }, { retcode: 2, success: true }, true),
  )
  expect(verdict.reason).toBe('has_errors; retcode 2; 1 of 1 states failed')
  expect(verdict.failedStates).toEqual(['pkg.installed: a'])
})

test('a light row without any sign says nothing', () => {
  const light = { jid: '1', minion_id: 'm', alter_time: null }
  expect(verdictOf(readReturn(light))).toMatchObject({ outcome: 'unknown' })
  expect(verdictOf(readReturn({ ...light, return: null }))).toMatchObject({ outcome: 'unknown' })
  expect(verdictOf(readReturn({ ...light, return: null, has_errors: false }))).toMatchObject({ outcome: 'success' })
})

test('aliases: one return under three spellings is one fact', () => {
  const full = { retcode: 0, success: true, return: { a: 1, b: 2 }, fun: 'disk.usage', fun_args: [] }
  const spellings = [
    {
      jid: '1',
      minion_id: 'm',
      master: 'x',
      fun: 'disk.usage',
      fun_args: [],
      has_errors: false,
      return: { a: 1, b: 2 },
      full_ret: full,
    },
    { jid: '1', minion: 'm', master_id: 'x', has_errors: 'false', full_ret: { ...full, return: { b: 2, a: 1 } } },
    {
      jid: '1',
      id: 'm',
      master: 'x',
      fun: 'disk.usage',
      fun_args: [],
      has_errors: false,
      return: { b: 2, a: 1 },
      retcode: '0',
      success: 'True',
    },
  ].map(value => readReturn(value))
  expect(new Set(spellings.map(contentDigest)).size).toBe(1)
})

test('raw: false leaves the row out whole', () => {
  const fact: Fact = normaliseReturn(
    { system: 'raas', name: 'salt' },
    row('test.ping', true, good),
    { raw: false, includeBodyFor: ['*'], redact: [] },
    { origin: 'live' },
  )
  expect(fact.data.raw).toBeUndefined()
  expect(fact.data.return?.omitted).toBe(true)
})

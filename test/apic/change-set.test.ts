import { describe, expect, it } from 'vitest'
import { parseChangeSet } from '../../src/subscribers/apic/change-set.ts'
import { isSecret, maskChangeSet, redact } from '../../src/subscribers/apic/redact.ts'

type Row = [property: string, old: string | null, now: string | null]

describe('changeSet', () => {
  it.each<[string, Row[]]>([
    ['', []],
    [
      'name:web, prio:level1',
      [
        ['name', null, 'web'],
        ['prio', null, 'level1'],
      ],
    ],
    [
      'descr:, name:web',
      [
        ['descr', null, ''],
        ['name', null, 'web'],
      ],
    ],
    ['name:', [['name', null, '']]],
    ['operSt (Old: down, New: up)', [['operSt', 'down', 'up']]],
    ['prio (New: level1)', [['prio', null, 'level1']]],
    ['prio (Old: level1)', [['prio', 'level1', null]]],
    ['descr (Old: , New: x)', [['descr', '', 'x']]],
    ['descr (Old: x, New: )', [['descr', 'x', '']]],
    [
      'a (Old: 1, New: 2), b:3, c (New: 4)',
      [
        ['a', '1', '2'],
        ['b', null, '3'],
        ['c', null, '4'],
      ],
    ],
    [
      'state (New: event-channel-down,partial-inv), n:1',
      [
        ['state', null, 'event-channel-down,partial-inv'],
        ['n', null, '1'],
      ],
    ],
    [
      'q:event-channel-down,partial-inv, n:1',
      [
        ['q', null, 'event-channel-down,partial-inv'],
        ['n', null, '1'],
      ],
    ],
    [
      'ts (Old: 2026-02-03T04:05:06.789+09:00, New: never), modTs:2026-02-03T04:05:06.789+09:00',
      [
        ['ts', '2026-02-03T04:05:06.789+09:00', 'never'],
        ['modTs', null, '2026-02-03T04:05:06.789+09:00'],
      ],
    ],
    [
      'issues (Old: , New: invalid-path: Interface eth1/7 (leaf); invalid-vlan: vlan-10, not in pool), n:1',
      [
        ['issues', '', 'invalid-path: Interface eth1/7 (leaf); invalid-vlan: vlan-10, not in pool'],
        ['n', null, '1'],
      ],
    ],
    [
      'descr:(a, b), n:1',
      [
        ['descr', null, '(a, b)'],
        ['n', null, '1'],
      ],
    ],
    ['a (Old: 1, New: 2', [['a', '1', '2']]],
    ['nobody can read this', []],
    ['what is this, name:web', [['name', null, 'web']]],
  ])('%j', (text, expected) => {
    expect(parseChangeSet(text)).toEqual(expected.map(([property, old, now]) => ({ property, old, new: now })))
  })

  it('a long one without end or sense is no burden', () => {
    expect(parseChangeSet('a (Old: '.repeat(2000)).length).toBeGreaterThan(0)
    expect(parseChangeSet(', '.repeat(20_000))).toEqual([])
    expect(parseChangeSet(')'.repeat(20_000))).toEqual([])
  })
})

describe('secrets', () => {
  it.each([
    'pwd',
    'encPwd',
    'key',
    'privKey',
    'secret',
    'token',
    'sshData',
    'urlToken',
    'authKey',
    'password',
    'bindPassword',
  ])('%s is one', name => {
    expect(isSecret('aaaUser', name)).toBe(true)
  })

  it.each(['pwdSet', 'pwdLifeTime', 'clearPwdHistory', 'name', 'keyring', 'webtokenTimeoutSeconds', 'monkey'])(
    '%s is none',
    name => {
      expect(isSecret('aaaUser', name)).toBe(false)
    },
  )

  it('the key of a tag is its name', () => {
    expect(isSecret('tagTag', 'key')).toBe(false)
    expect(isSecret('tagAnnotation', 'key')).toBe(false)
    expect(isSecret('tagTag', 'secret')).toBe(true)
  })

  it.each([
    ['pwd:a, name:b', 'pwd:********, name:b'],
    ['encPwd:a$b/c=, pwd (Old: x y, New: z (w)), n:1', 'encPwd:********, pwd (Old: ********, New: ********), n:1'],
    ['privKey (New: -----BEGIN, KEY-----)', 'privKey (New: ********)'],
    ['odd pwd=a; b', 'odd pwd=********; b'],
    ['pwd:, n:1', 'pwd:, n:1'],
    ['name:token', 'name:token'],
  ])('masks %j', (text, expected) => {
    expect(maskChangeSet(text)).toBe(expected)
    expect(maskChangeSet(expected)).toBe(expected)
  })

  it('leaves attributes without secrets as they are, and never touches the original', () => {
    const plain = { dn: 'x', descr: 'the key is under the mat' }
    expect(redact('fvTenant', plain)).toBe(plain)
    const secret = { dn: 'x', pwd: 'a', changeSet: 'pwd:a', descr: 'set pwd: a' }
    expect(redact('aaaUser', secret)).toEqual({ dn: 'x', changeSet: 'pwd:********', descr: 'set pwd: ********' })
    expect(secret.pwd).toBe('a')
    expect(secret.descr).toBe('set pwd: a')
  })
})

import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it } from 'vitest'
import type { CliInput } from '../../src/cli/io.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { InventoryFile } from '../../src/subscribers/vcd/inventory.ts'
import { TokenFile } from '../../src/subscribers/vcd/token-file.ts'
import { until } from '../support/manual-clock.ts'
import { BOT_TOKEN, CLOUD, OWN_TOKEN, QueryRig, type QueryRigOptions, SECRETS } from './query-rig.ts'

let rig: QueryRig
afterEach(() => rig.close())

async function make(vcd: QueryRigOptions['vcd'] = {}): Promise<void> {
  rig = await QueryRig.make({ vcd: { tokenLoginEvents: false, ...vcd } })
}

const logins = (): unknown[] => rig.vcd.record.logins.map(({ way, ok }) => [way, ok])

describe('orgs and versions', () => {
  it("the guide's GET /api/org, as XML, with the version of the cell", async () => {
    await make()
    for (const what of ['orgs', 'GET https://host_name/api/org', '/api/org/']) {
      const { code, out, err } = await rig.ask('cloud', what, '--columns', 'name')
      expect([code, out, err]).toEqual([0, 'name\nSystem\nacme\n2 organisations\n', ''])
    }
    expect(await rig.json('cloud', 'orgs', '--limit', '1')).toEqual([
      {
        name: 'System',
        id: expect.any(String),
        href: expect.stringMatching(/^https:\/\/cloud\.example\.net\/api\/org\//),
      },
    ])
    expect((await rig.ask('cloud', 'orgs', '--count')).out).toBe('2\n')
    expect(rig.vcd.record.requests.find(({ path }) => path === '/api/org')?.accept).toBe(
      'application/*+xml;version=39.1',
    )
  })

  it('versions need no login; which one is spoken is told', async () => {
    await make()
    const { code, out } = await rig.ask('cloud', 'versions')
    expect(code).toBe(0)
    expect(out).toMatch(/^version {2}deprecated {2}spoken\n39\.1 +by opswire\n39\.0\n/)
    expect(out).toMatch(/\n36\.1 +yes\n/)
    expect(out).toMatch(/\n11 versions; opswire speaks 39\.1\n$/)
    expect(logins()).toEqual([])
  })
})

describe('events', () => {
  const VM = { type: 'vm/delete', user: 'ci-bot', org: 'acme', entity: { name: 'db-1', id: null } }

  it('are a table with the token that did it, the newest first', async () => {
    await make({ retentionMs: Number.POSITIVE_INFINITY })
    const atMs = Date.UTC(2026, 1, 3, 4, 5, 6, 789)
    rig.vcd.write({ ...VM, atMs, tokenId: BOT_TOKEN })
    rig.vcd.write({ ...VM, type: 'vm/create', atMs: atMs + 1000, success: false })
    const argv = ['cloud', 'events', '--since', '2026-02-03T04:00:00Z', '--until', '2026-02-04']
    const { code, out, err } = await rig.ask(...argv, '--columns', 'time,status,event,entity,user,org,token')
    expect([code, err]).toEqual([0, ''])
    expect(out).toBe(
      [
        'time                          status   event      entity  user    org   token',
        '2026-02-03T04:05:07.789+0000  FAILURE  vm/create  db-1    ci-bot  acme',
        `2026-02-03T04:05:06.789+0000  SUCCESS  vm/delete  db-1    ci-bot  acme  ${BOT_TOKEN}`,
        '2 events',
        '',
      ].join('\n'),
    )
    expect(await rig.json(...argv, '--limit', '1')).toMatchObject([{ eventType: 'com/vmware/vcloud/event/vm/create' }])
    expect((await rig.ask(...argv, '--count')).out).toBe('2\n')
    expect(await rig.json(...argv, '--filter', 'eventType==com/vmware/vcloud/event/vm/delete')).toHaveLength(1)
  })

  it("show a token by its name where the source's inventory knows it", async () => {
    await make()
    rig.vcd.write({ ...VM, tokenId: BOT_TOKEN })
    const inventory = rig.file('tokens.yaml', `- { id: ${BOT_TOKEN}, name: nightly }`)
    rig.configure({ vcd: `    token_inventory_file: ${inventory}\n` })
    const argv = ['cloud', 'events', '--columns', 'event,token,token_id']
    expect((await rig.ask(...argv)).out).toContain(`vm/delete  nightly  ${BOT_TOKEN}\n`)
    rig.file('tokens.yaml', 'not a list')
    const { code, out, err } = await rig.ask(...argv)
    expect([code, out]).toEqual([0, expect.stringContaining(`vm/delete  ${BOT_TOKEN}  ${BOT_TOKEN}\n`)])
    expect(err).toMatch(/^note: token_inventory_file .* is not used: must be a list/)
  })

  it('of the last day come when no time is named, and that is said', async () => {
    await make()
    const now = systemClock.wall()
    for (const hours of [1, 23, 25]) rig.vcd.write({ ...VM, atMs: now - hours * 3_600_000 })
    expect((await rig.ask('cloud', 'events')).out).toMatch(/\n2 events, of the last 24 h \(--since for more\)\n$/)
    expect(await rig.json('cloud', 'events', '--since', '2h')).toHaveLength(1)
    expect(await rig.json('cloud', 'events', '--since', '7d')).toHaveLength(3)
    expect((await rig.ask('cloud', 'events', '--limit', '1')).out).toMatch(/\n1 event, the newest \(--limit\)\n$/)
  })

  it('a filter that the cell refuses is a wrong question', async () => {
    await make()
    const { code, err } = await rig.ask('cloud', 'events', '--filter', 'eventStatus==FAILURE')
    expect([code, err]).toEqual([
      64,
      expect.stringMatching(/^opswire query: --filter: auditTrail refused the filter eventStatus==FAILURE: /),
    ])
  })
})

describe('tokens', () => {
  const ROOT = ['cloud', 'tokens', '--login-as', 'root']

  it('an inventory that the daemon reads, made by a session with a password', async () => {
    await make()
    const inventory = async (out: string) => {
      const file = new InventoryFile(rig.file('tokens.yaml', out))
      await file.refresh(text => {
        throw new Error(text)
      })
      return file.current
    }
    const { code, out, err } = await rig.ask(...ROOT, '--password-file', rig.file('pw', `${SECRETS.person}\r\n`))
    expect([code, err]).toEqual([0, ''])
    const known = await inventory(out)
    expect(known.get(BOT_TOKEN)).toEqual({ name: 'ci', owner: 'ci-bot', org: 'acme', expiresMs: undefined })
    expect(known.get(OWN_TOKEN)).toMatchObject({ name: 'opswire', owner: 'root' })
    expect(logins()).toEqual([['password', true]])
    expect(rig.vcd.record.requests.at(-1)).toMatchObject({ method: 'DELETE', status: 204 })
    const own = await rig.ask(
      'cloud',
      'tokens',
      '--login-as',
      'ci-bot@acme',
      '--password-file',
      rig.file('pw', SECRETS.person),
    )
    expect(own.err).toMatch(/^note: these are ci-bot@acme's own tokens; with the right "Manage all/)
    expect((await inventory(own.out)).get(OWN_TOKEN)).toBeUndefined()
  })

  it('the password comes from a pipe when nobody sits at a terminal', async () => {
    await make()
    const stdin = new PassThrough()
    stdin.end(`${SECRETS.person}\nmore`)
    const { code, out } = await rig.askWith({ stdin }, ...ROOT)
    expect([code, out]).toEqual([0, expect.stringContaining(BOT_TOKEN)])
  })

  it('at a terminal it is asked for, and nothing of it is shown', async () => {
    await make()
    const modes: boolean[] = []
    const stdin: CliInput & PassThrough = Object.assign(new PassThrough(), {
      isTTY: true,
      setRawMode: (raw: boolean) => modes.push(raw),
    })
    const asking = rig.askWith({ stdin }, ...ROOT)
    await until(() => modes.length > 0, 'the prompt')
    // A slip, taken back; the rest in two pieces.
    stdin.write(`x\u007f${SECRETS.person.slice(0, 4)}`)
    stdin.write(`${SECRETS.person.slice(4)}\r`)
    const { code, out, err } = await asking
    expect([code, err]).toEqual([0, 'Password of root: \n'])
    expect(out).toContain(BOT_TOKEN)
    expect(modes).toEqual([true, false])
    const given = rig.askWith({ stdin }, ...ROOT)
    await until(() => modes.length > 2, 'the prompt')
    stdin.write('half\u0003')
    expect(await given).toMatchObject({ code: 64, err: expect.stringContaining('no password was given') })
    expect(modes).toEqual([true, false, true, false])
  })

  it.each([
    [['tokens'], 64, 'an API-token session cannot list tokens: say --login-as USER'],
    [['tokens', '--login-as', 'root'], 64, 'nobody can be asked for the password: say --password-file FILE'],
    [
      ['tokens', '--login-as', 'root', '--password-file', '/no/such'],
      78,
      "cloud: can't read the password file /no/such: ENOENT",
    ],
    [['tokens', '--login-as', 'root', '--json'], 64, '--json: tokens prints an inventory'],
    [['tokens', '--login-as', 'root', '--since', '1h'], 64, '--since belongs to events, not tokens'],
    [['orgs', '--filter', 'x'], 64, '--filter belongs to events, not orgs'],
    [['orgs', '--page', '1'], 64, '--page is for apic and raas sources; cloud is vcd'],
    [[], 64, 'say what to ask: events, orgs, versions, tokens'],
    [['eventz'], 64, 'unknown "eventz"; did you mean events?'],
    [['orgs', 'acme'], 64, 'unexpected "acme"'],
    [['events', '--since', 'yesterday'], 64, '--since: "yesterday" is not a time with its zone'],
    [['events', '--since', '2026-02-03T04:05:06'], 64, 'is not a time with its zone'],
    [['events', '--until', '2020-01-01'], 64, '--until must be later than --since (24h ago'],
  ])('%j: exit code %i', async (argv, wanted, message) => {
    rig = await QueryRig.make({})
    const { code, out, err } = await rig.ask('cloud', ...argv)
    expect([code, out]).toEqual([wanted, ''])
    expect(err).toContain(message)
  })

  it('a password that is refused: 77', async () => {
    await make()
    const { code, err } = await rig.ask(...ROOT, '--password-file', rig.file('pw', 'marker-wrong'))
    expect([code, err]).toEqual([
      77,
      expect.stringMatching(/^opswire query: cloud: root@System was refused \(HTTP 401\)/),
    ])
    expect(err).not.toContain('marker-wrong')
  })
})

describe('an API token that rotates', () => {
  const tokens = CLOUD.tokens.map(token => ({ ...token, rotation: 'always' as const }))

  it('is kept in state_dir, which is made if need be, and read again at the next login', async () => {
    await make({ tokens })
    for (let time = 0; time < 3; time++) expect((await rig.ask('cloud', 'orgs', '--count')).out).toBe('2\n')
    const path = join(rig.stateDir, 'cloud.token')
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect((JSON.parse(readFileSync(path, 'utf8')) as { token: string }).token).toBe(rig.vcd.secretOf(OWN_TOKEN))
    expect(logins()).toEqual(Array(3).fill(['token', true]))
    const { out, err } = await rig.ask('cloud', 'orgs')
    expect(out + err).not.toContain(rig.vcd.secretOf(OWN_TOKEN))
  })

  it('is not sent while another login holds the lock, and is read anew when that is done', async () => {
    await make({ tokens })
    mkdirSync(rig.stateDir)
    const daemon = new TokenFile(rig.stateDir, 'cloud', systemClock)
    const release = Promise.withResolvers<void>()
    const holding = daemon.locked(new AbortController().signal, () => release.promise)
    await until(() => existsSync(join(rig.stateDir, 'cloud.token.lock')), 'the lock')
    const asking = rig.ask('cloud', 'orgs', '--count')
    await until(() => rig.vcd.record.requests.length > 0, 'its first request')
    expect(logins()).toEqual([])
    release.resolve()
    await holding
    expect((await asking).out).toBe('2\n')
    expect(existsSync(join(rig.stateDir, 'cloud.token.lock'))).toBe(false)
  })

  it('and a state_dir that can not be used: 78, before the token is spent', async () => {
    await make({ tokens })
    writeFileSync(rig.stateDir, 'a file in its place')
    const { code, err } = await rig.ask('cloud', 'orgs')
    expect([code, err]).toEqual([
      78,
      expect.stringMatching(/^opswire query: cloud: can't make .*cloud\.token\.lock: ENOTDIR/),
    ])
    expect(logins()).toEqual([])
  })
})

it('a token that is refused: 77, with the likely causes', async () => {
  await make()
  rig.file('vcd', 'marker-old-token')
  const { code, out, err } = await rig.ask('cloud', 'orgs')
  expect([code, out]).toEqual([77, ''])
  expect(err).toMatch(/^opswire query: cloud: the API token was refused for org "System" .* Likely causes: /)
  expect(err).not.toContain('marker-old-token')
})

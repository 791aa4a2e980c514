import { afterEach, describe, expect, it } from 'vitest'
import { ret } from '../raas/bus.ts'
import { QueryRig, type QueryRigOptions } from './query-rig.ts'

let rig: QueryRig
afterEach(() => rig.close())

/** The job of the guide's answer. */
const JOB = {
  uuid: '60c14cfc-09ca-4b5a-bc76-8294287c2e6c',
  name: 'Check disk usage',
  desc: 'Checks disk usage on targeted devices',
  cmd: 'local',
  tgt_uuid: '7f93b928-388b-11e6-b133-346895ecb8f3',
  fun: 'disk.usage',
  arg: { arg: [], kwarg: {} },
  masters: [],
  metadata: {
    auth: {
      owner: { uuid: '8964e9f3-6864-4fe5-ba4a-ab4530caa8ca', config_name: 'internal', username: 'root' },
      access: {},
    },
  },
  tgt_name: 'CentOS',
}

async function make(raas: QueryRigOptions['raas'] = {}): Promise<void> {
  rig = await QueryRig.make({ raas })
  rig.raas.tables.jobs.set(JOB.uuid, JOB)
}

const asked = (method: string): number => rig.raas.record.requests.get(method) ?? 0

function jobs(count: number): void {
  for (let n = 0; n < count; n++) {
    const uuid = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`
    rig.raas.tables.jobs.set(uuid, { ...JOB, uuid, name: `job ${n}` })
  }
}

describe("the guide's calls", () => {
  const CSP = 'marker-csp-token'
  const login = (): string => `csp_api_token_file: ${rig.file('csp', CSP)}\n    csp_url: ${rig.raas.url}/`

  it.each([
    ['Python', ['client.api.job.get_jobs()']],
    ['by name', ['job.get_jobs']],
    ['the body of cURL', ['{ "resource": "job", "method": "get_jobs", "kwarg": {}, "args": [] }']],
  ])('%s: job.get_jobs with a CSP API token, the XSRF token from the header of the login', async (_, what) => {
    await make({ cspTokens: new Set([CSP]), xsrfVia: 'header', schemes: ['Bearer'] })
    rig.configure({ login: login() })
    expect(await rig.json('salt', ...what)).toEqual([JOB])
    expect([asked('csp'), asked('/account/login'), asked('job.get_jobs')]).toEqual([1, 1, 1])
    expect(rig.raas.record).toMatchObject({ xsrfRefusals: 0, unauthorized: 0 })
    const { out, err } = await rig.ask('salt', ...what)
    expect([out, err].join()).not.toContain(CSP)
  })

  it('a CSP API token that has expired: exit code 77', async () => {
    await make({ cspTokens: new Set() })
    rig.configure({ login: login() })
    const { code, out, err } = await rig.ask('salt', 'job.get_jobs')
    expect([code, out]).toEqual([77, ''])
    expect(err).toMatch(/^opswire query: salt: https:.* refuses the API token \(HTTP 400\): expired or revoked; check /)
    expect(err).not.toContain(CSP)
  })

  it('admin.trim_database, which changes things, is not sent', async () => {
    await make()
    const { code, out, err } = await rig.ask('salt', 'client.api.admin.trim_database()')
    expect([code, out]).toEqual([64, ''])
    expect(err).toContain('admin.trim_database is not one of the methods that only read; there is api.discover, ')
    expect(rig.raas.record.requests.size).toBe(0)
  })

  it('jobs.get_jobs, as its text slips, is known for what is meant', async () => {
    await make()
    expect((await rig.ask('salt', 'jobs.get_jobs()')).err).toContain('did you mean job.get_jobs?')
  })
})

describe('answers', () => {
  it('of listings are tables of what matters, or JSON lines of everything', async () => {
    await make()
    expect((await rig.ask('salt', 'job.get_jobs')).out).toBe(
      [
        'name              cmd    fun         tgt_name  uuid                                  desc',
        'Check disk usage  local  disk.usage  CentOS    60c14cfc-09ca-4b5a-bc76-8294287c2e6c  Checks disk usage on targeted devices',
        '1 row',
        '',
      ].join('\n'),
    )
    expect((await rig.ask('salt', 'job.get_jobs', '--columns', 'name,metadata')).out).toContain(
      '"config_name":"internal"',
    )
    expect(await rig.json('salt', 'job.get_jobs')).toEqual([JOB])
  })

  it('are read page by page to the end; a page alone, a limit and a count are what they say', async () => {
    await make()
    jobs(450)
    expect(new Set((await rig.json('salt', 'job.get_jobs')).map(row => JSON.stringify(row))).size).toBe(451)
    expect(asked('job.get_jobs')).toBe(3)
    expect((await rig.ask('salt', 'job.get_jobs', '--count')).out).toBe('451\n')
    expect((await rig.ask('salt', 'job.get_jobs', '--limit', '7')).out).toMatch(/\n7 rows \(--limit\)\n$/)
    const page = await rig.ask('salt', 'job.get_jobs', '--page', '2', '--page-size', '100', '--columns', 'name')
    expect(page.out.split('\n')).toHaveLength(103)
    expect(page.out).toMatch(/\n100 of 451 rows\n$/)
    // As sseapiclient is called: get_jobs(limit=50, page=1).
    expect(await rig.json('salt', 'job.get_jobs', '--kwarg', 'limit=50', '--kwarg', 'page=1')).toHaveLength(50)
    expect(await rig.json('salt', 'job.get_jobs', '--kwargs', '{"limit":50,"page":9}')).toHaveLength(1)
  })

  it('show each row once, though new ones come in at the front while the pages are read', async () => {
    await make()
    jobs(450)
    let page = 0
    rig.raas.knobs.between = ({ method }) => {
      if (method !== 'job.get_jobs' || ++page > 2) return
      // Sorted by name, ahead of all others.
      const uuid = `ffffffff-0000-4000-8000-00000000000${page}`
      rig.raas.tables.jobs.set(uuid, { ...JOB, uuid, name: `A new job ${page}` })
    }
    const uuids = (await rig.json('salt', 'job.get_jobs')).map(row => (row as { uuid: string }).uuid)
    expect(page).toBeGreaterThan(2)
    expect(new Set(uuids).size).toBe(uuids.length)
    expect(uuids.length).toBeGreaterThanOrEqual(451)
  })

  it('that are one thing are shown as such', async () => {
    await make()
    expect((await rig.ask('salt', 'test.echo', '--kwarg', 'message=hi')).out).toBe('value\nhi\n1 row\n')
    expect(await rig.json('salt', 'test.echo', '--kwarg', 'message=hi')).toEqual(['hi'])
    expect(await rig.json('salt', 'api.get_versions')).toEqual([
      expect.objectContaining({ python: expect.any(String) }),
    ])
    expect((await rig.ask('salt', 'api.get_versions')).out).toMatch(/^name +value\npython +3/)
  })

  it('of runs and returns take arguments by name, a jid as the text that it is', async () => {
    await make({ retrieveAfterMs: 0 })
    const jid = '20260312081501123456'
    rig.raas.push('master1', [ret(jid, 'web01', true), ret(jid, 'web02', { db: { password: 'hush-hush' } })])
    const rows = await rig.json('salt', 'ret.get_returns', '--kwarg', `jid=${jid}`, '--kwarg', 'sort_by=minion_id')
    expect(rows).toMatchObject([{ minion_id: 'web01' }, { minion_id: 'web02' }])
    expect(JSON.stringify(rows)).not.toContain('hush-hush')
    expect(await rig.json('salt', 'ret.get_returns', '--kwarg', 'minion_id=web01')).toHaveLength(1)
    const one = await rig.ask('salt', 'ret.get_jid', '--kwarg', `jid=${jid}`, '--columns', 'minion_id')
    expect(one.out).toBe('minion_id\nweb01\nweb02\n2 rows\n')
  })

  it("hold no secret: the audit log's own request headers", async () => {
    await make()
    await rig.ask('salt', 'job.get_jobs')
    const rows = await rig.json('salt', 'audit.get_audit')
    expect(rows.length).toBeGreaterThan(1)
    const text = JSON.stringify(rows)
    expect(text).toContain('"Authorization":"********"')
    expect(text).not.toMatch(/JWT ey|_xsrf=2/)
  })
})

describe('a question that is wrong', () => {
  it.each([
    [[], 'say which method: api.discover, '],
    [['cmd.route_cmd'], 'cmd.route_cmd is not one of the methods that only read'],
    [['job.get_job'], 'did you mean job.get_jobs?'],
    [['job.get_jobs', 'name=x'], 'unexpected "name=x"; arguments go into --kwarg NAME=VALUE'],
    [['job.get_jobs', '--kwarg', 'x'], '--kwarg: "x" is not NAME=VALUE'],
    [['job.get_jobs', '--kwargs', '{x'], '--kwargs is not JSON: '],
    [['job.get_jobs', '--kwargs', '[1]'], '--kwargs is not a JSON object'],
    [['{"resource":"job"}'], 'the body of a call is {"resource": "…", "method": "…", "kwarg": {…}}'],
    [['{"resource":"job","methd":"get_jobs"}'], 'the body of a call has no "methd"; did you mean method?'],
    [['{"resource":"job","method":"get_jobs","args":[1]}'], 'arguments are given by name'],
    [['api.get_versions', '--page', '1'], '--page and --page-size: api.get_versions does not answer in pages'],
    [['job.get_jobs', '--page-size', '5'], '--page-size goes with --page'],
    [['job.get_jobs', '--login-as', 'alice'], '--login-as is for vcd sources; salt is raas'],
    [['job.get_jobs', '--xml'], '--xml is for apic sources; salt is raas'],
  ])('%j is refused offline, with 64', async (argv, message) => {
    rig = await QueryRig.make({})
    const { code, out, err } = await rig.ask('salt', ...argv)
    expect([code, out]).toEqual([64, ''])
    expect(err).toContain(message)
  })

  it('by its arguments is told in the words of the server', async () => {
    await make()
    const { code, err } = await rig.ask('salt', 'cmd.get_cmds', '--kwarg', 'limt=3')
    expect([code, err.split('\n')[0]]).toEqual([64, 'opswire query: salt: cmd.get_cmds: Validation error (limt)'])
  })
})

describe('trouble', () => {
  it('a password that is refused: 77; a role that is missing: 77; nobody there: 69; overload: 69', async () => {
    await make({ users: [{ username: 'svc-opswire', password: 'marker-raas-password', methods: [] }] })
    const role = await rig.ask('salt', 'job.get_jobs')
    expect([role.code, role.err]).toEqual([77, expect.stringContaining('job.get_jobs')])
    rig.file('raas', 'wrong')
    const refused = await rig.ask('salt', 'job.get_jobs')
    expect([refused.code, refused.err]).toEqual([
      77,
      expect.stringMatching(
        /^opswire query: salt: login as svc-opswire .* was refused \(HTTP 401\); check .*\/raas\)\n$/,
      ),
    ])
    rig.raas.knobs.fault = () => ({ kind: 'status', status: 503, html: true })
    const busy = await rig.ask('salt', 'job.get_jobs')
    expect([busy.code, busy.err]).toEqual([69, expect.stringContaining('try again in a minute')])
    await rig.raas.close()
    const away = await rig.ask('salt', 'job.get_jobs')
    expect([away.code, away.err]).toEqual([69, expect.stringContaining('reachable from here?')])
  })

  it('an XSRF token that rotates in mid-answer, and a path of its own, are nothing to speak of', async () => {
    await make({ xsrfRotateEvery: 1, path: '/raas' })
    jobs(450)
    expect(await rig.json('salt', 'job.get_jobs')).toHaveLength(451)
  })
})

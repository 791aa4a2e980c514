/** Questions outside a session: paged, reading only, without secrets. */
import { afterEach, expect, test } from 'vitest'
import { isPaged, RaasQuestions, readingMethod } from '../../src/subscribers/raas/questions.ts'
import { ret } from './bus.ts'
import { makeRig, type Rig, type RigOptions } from './rig.ts'

let rig: Rig
let questions: RaasQuestions

afterEach(async () => {
  await questions.close()
  await rig.close()
})

async function asking(options: RigOptions = {}): Promise<void> {
  rig = await makeRig(options)
  const { clock, config } = rig
  questions = new RaasQuestions(config, { clock, report: () => undefined, signal: new AbortController().signal })
}

async function all(...question: Parameters<RaasQuestions['rows']>): Promise<unknown[]> {
  const rows: unknown[] = []
  for await (const row of questions.rows(...question)) rows.push(row)
  return rows
}

const JID = '20260203040506000001'

function jobs(count: number): void {
  for (let n = 0; n < count; n++) {
    const uuid = `11111111-0000-4000-8000-${String(n).padStart(12, '0')}`
    rig.sim.tables.jobs.set(uuid, { uuid, name: `job ${String(n).padStart(4, '0')}`, cmd: 'local', fun: 'test.ping' })
  }
}

test("the guide's own question: every job, past the 50 of a page", async () => {
  await asking()
  jobs(450)
  const rows = await all('job.get_jobs', {}, 10_000)
  expect(new Set(rows.map(row => (row as { uuid: string }).uuid)).size).toBe(450)
  expect(rig.sim.record.requests.get('job.get_jobs')).toBe(3)
  expect(await all('job.get_jobs', {}, 30)).toHaveLength(30)
})

test('a server that caps its pages is read whole', async () => {
  await asking({ simulator: { pageCap: 30 } })
  jobs(100)
  expect(await all('job.get_jobs', { sort_by: 'name' }, 10_000)).toHaveLength(100)
})

test('by the CSP API token of the guide, with one login for all pages', async () => {
  await asking({
    simulator: { cspTokens: new Set(['api']), xsrfVia: 'header' },
    config: { csp_api_token: 'api' },
  })
  jobs(250)
  expect(await all('job.get_jobs', {}, 10_000)).toHaveLength(250)
  expect(rig.sim.record).toMatchObject({ logins: 1, xsrfRefusals: 0 })
})

test('a whole answer as it came; what has no end is bounded, what is huge filtered', async () => {
  await asking()
  expect(await questions.ask('api.get_versions', {})).toMatchObject({ raas: { raas: '8.18.3' } })
  const asked: unknown[] = []
  rig.sim.knobs.between = call => asked.push(call.kwarg)
  await questions.ask('ret.get_jids', {})
  await questions.ask('ret.get_jids', { limit: 5 })
  const constants = await questions.ask('api.discover', {})
  expect(asked).toEqual([{ limit: 200 }, { limit: 5 }, { include: ['constants', 'errors'] }])
  expect(Object.keys(constants as object)).toEqual(['constants', 'errors'])
})

test('secrets behind telling names are masked', async () => {
  await asking({ config: { returns: { redact: ['ssn'] } } })
  rig.sim.push('master1', [ret(JID, 'web01', { ssn: '123-45', db_password: 'hunter2' }, { fun: 'pillar.items' })])
  await all('ret.get_returns', {}, 10)
  const text = JSON.stringify([await all('ret.get_returns', {}, 10), await all('audit.get_audit', {}, 100)])
  expect(text).toContain('web01')
  expect(text).not.toMatch(/123-45|hunter2|JWT /)
})

test('what the server refuses is told in its own words', async () => {
  await asking()
  await expect(questions.ask('ret.get_returns', { after: 'x' })).rejects.toThrow(/Validation error.*after/)
  await expect(all('api.get_versions', {}, 1)).rejects.toMatchObject({ code: 'bug' })
})

test('only methods that read have a name here', () => {
  expect([readingMethod('job.get_jobs'), readingMethod('ret.get_returns')]).toEqual(['job.get_jobs', 'ret.get_returns'])
  for (const name of ['cmd.route_cmd', 'admin.trim_database', 'job.delete_job', 'get_jobs', '']) {
    expect(readingMethod(name)).toBeUndefined()
  }
  expect([isPaged('job.get_jobs'), isPaged('api.get_versions')]).toEqual([true, false])
})

import { afterEach, expect, test } from 'vitest'
import { until } from '../support/manual-clock.ts'
import { ROOT, ret } from './bus.ts'
import { makeRig, type Rig, route } from './rig.ts'

let rig: Rig

afterEach(async () => {
  await rig.close()
})

const told = (): string[] => rig.keeper.facts.map(fact => `${fact.type.slice(5)} ${fact.data.job?.state ?? ''}`.trim())

function saveJob(uuid: string, name: string, more: Readonly<Record<string, unknown>> = {}): void {
  rig.sim.tables.jobs.set(uuid, {
    ...{ uuid, name, desc: null, cmd: 'local', tgt_uuid: null, fun: 'cmd.run', tgt_name: 'web', masters: [] },
    arg: { arg: ['echo s3cret'], kwarg: {} },
    metadata: { auth: { owner: { username: 'root' } } },
    ...more,
  })
}

test('a run from new to completed, with its counters', async () => {
  rig = await makeRig({ simulator: { retrieveAfterMs: 20_000 } })
  await rig.start()
  const jid = route(rig, ['web01', 'web02'])
  await rig.rounds(2)
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.rounds(1)
  rig.sim.push('master1', [ret(jid, 'web02', false, { retcode: 1 })])
  await rig.rounds(1)
  const runs = rig.keeper.facts.filter(fact => fact.type.startsWith('raas.run'))
  expect(runs.map(fact => [fact.type, fact.data.job?.state, fact.data.job?.returned, fact.severitytext])).toEqual([
    ['raas.run.started', 'new', 0, 'info'],
    ['raas.run.updated', 'retrieved', 0, 'info'],
    ['raas.run.updated', 'retrieved', 1, 'info'],
    ['raas.run.completed', 'completed_failures', 2, 'minor'],
  ])
  expect(runs.every(fact => fact.origin === 'live' && fact.partitionkey === jid)).toBe(true)
  expect(runs.at(-1)?.data).toMatchObject({ outcome: 'failure', actor: { user: 'alice' }, job: { failed: 1 } })
})

test('a run that is over before the next poll is told as started and completed', async () => {
  rig = await makeRig()
  await rig.start()
  const jid = route(rig, ['web01'])
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.rounds(2)
  expect(told().sort()).toEqual([
    'return',
    'run.completed completed_all_successful',
    'run.started completed_all_successful',
  ])
})

test('missing minions are named at the end; a late one updates the run', async () => {
  rig = await makeRig({ config: { sweep_interval: '1h' } })
  await rig.start()
  const jid = route(rig, ['web01', 'web02', 'web03'])
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.rounds(6)
  const [missing] = rig.keeper.of('raas.run.missing')
  expect(missing?.data.job?.missingMinions?.sort()).toEqual(['web02', 'web03'])
  expect(missing).toMatchObject({ severitytext: 'warning', data: { outcome: 'unknown' } })
  expect(missing?.data.summary).toContain('no answer from web0')
  await rig.rounds(40)
  rig.sim.push('master1', [ret(jid, 'web02', true)])
  await rig.rounds(3)
  const [last] = rig.keeper.of('raas.run.updated').slice(-1)
  expect(last?.data.job).toMatchObject({ state: 'completed_missing_returns', returned: 2, missing: 1 })
  expect(rig.keeper.of('raas.run.completed')).toHaveLength(1)
})

test('first contact learns what runs without a word; its end is told', async () => {
  rig = await makeRig()
  const done = route(rig, ['web01'])
  rig.sim.push('master1', [ret(done, 'web01', true)])
  await rig.clock.advance(1000)
  const open = route(rig, ['web01', 'web02'])
  rig.sim.push('master1', [ret(open, 'web01', true)])
  await rig.clock.advance(1000)
  await rig.start()
  await rig.rounds(3)
  expect(told()).toEqual([])
  rig.sim.push('master1', [ret(open, 'web02', true)])
  await rig.rounds(2)
  expect(told().sort()).toEqual(['return', 'run.completed completed_all_successful'])
  expect(rig.keeper.facts.every(fact => fact.partitionkey.startsWith(open))).toBe(true)
})

test('a restart knows its runs: what changed meanwhile is told once, marked resync', async () => {
  rig = await makeRig()
  await rig.start()
  const jid = route(rig, ['web01', 'web02'])
  await rig.rounds(2)
  await rig.stop()
  rig.sim.push('master1', [ret(jid, 'web01', true), ret(jid, 'web02', true)])
  const other = route(rig, ['web01'])
  rig.sim.push('master1', [ret(other, 'web01', true)])
  await rig.clock.advance(3_600_000)
  await rig.restart()
  await rig.rounds(3)
  const completed = rig.keeper.of('raas.run.completed')
  expect(completed.map(fact => [fact.subject, fact.origin]).sort()).toEqual([
    [jid, 'resync'],
    [other, 'resync'],
  ])
  expect(rig.keeper.of('raas.return')).toHaveLength(3)
  await rig.restart()
  await rig.rounds(3)
  expect(rig.keeper.of('raas.run.started')).toHaveLength(2)
  expect(rig.keeper.of('raas.run.completed')).toHaveLength(2)
})

test('a state nobody knows stays open; trimmed runs are forgotten', async () => {
  rig = await makeRig()
  await rig.start()
  const jid = route(rig, ['web01'])
  const run = rig.sim.tables.runs.get(jid)
  if (run !== undefined) run.state = 'completed_partial'
  await rig.rounds(3)
  expect(told()).toEqual(['run.started completed_partial'])
  expect(rig.keeper.mirror.has(jid)).toBe(true)
  rig.sim.tables.trim((rig.clock.wall() + 1000) * 1000)
  await rig.rounds(3)
  expect(rig.keeper.mirror.has(jid)).toBe(false)
})

test('returns that the tail never sees are found by the counters', async () => {
  rig = await makeRig({ config: { overlap: '10s', sweep_interval: '2h' } })
  await rig.start()
  // So many rows in the last minutes that no poll's pages reach back to where the stray will lie.
  for (let round = 0; round < 30; round++) {
    for (let n = 0; n < 12; n++) rig.sim.push('master1', [ret('20260203040506000001', `filler${round}-${n}`, true)])
    await rig.rounds(1)
  }
  const jid = route(rig, ['web01', 'web02'])
  // A node whose clock is far behind writes its rows below the low-water mark.
  rig.sim.knobs.writerSkewMs = () => -400_000
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  rig.sim.knobs.writerSkewMs = () => 0
  rig.sim.push('master1', [ret(jid, 'web02', true)])
  await rig.rounds(4)
  const found = rig.keeper.of('raas.return').filter(fact => fact.data.return?.jid === jid)
  expect(found.map(fact => [fact.data.return?.minion, fact.origin]).sort()).toEqual([
    ['web01', 'resync'],
    ['web02', 'live'],
  ])
  expect(rig.keeper.reported('feed_recovered')).toMatchObject([{ feed: 'returns', count: 1 }])
})

test("returns that come one by one, each counted before it is read, are the tail's: nothing was missed", async () => {
  rig = await makeRig({ simulator: { missingAfterMs: 3_600_000 } })
  await rig.start()
  const minions = ['web01', 'web02', 'web03', 'db01', 'db02', 'app01']
  const jid = route(rig, minions)
  const waiting = [...minions]
  // Between the tail's read and the one in which the job loop counts.
  rig.sim.knobs.fault = ({ method, kwarg }) => {
    const minion = method === 'cmd.get_cmds' && kwarg['state'] !== undefined ? waiting.shift() : undefined
    if (minion !== undefined) rig.sim.push('master1', [ret(jid, minion, true)])
    return undefined
  }
  await rig.rounds(minions.length + 2)
  expect(
    rig.keeper
      .of('raas.return')
      .map(fact => `${fact.data.return?.minion} ${fact.origin}`)
      .toSorted(),
  ).toEqual(minions.map(minion => `${minion} live`).toSorted())
  expect(rig.keeper.reported('feed_recovered')).toEqual([])
})

test('definitions: mirror at first contact, then defined, redefined and removed, chained', async () => {
  rig = await makeRig()
  saveJob('11111111-0000-4000-8000-000000000001', 'Patch web tier')
  await rig.start()
  await rig.rounds(4)
  expect(told()).toEqual([])
  const uuid = '11111111-0000-4000-8000-000000000002'
  saveJob(uuid, 'Check disk usage')
  await rig.rounds(4)
  saveJob(uuid, 'Check disk usage', { desc: 'Nightly', arg: { arg: ['echo other'], kwarg: {} } })
  await rig.rounds(4)
  saveJob(uuid, 'Check disk usage')
  await rig.rounds(4)
  rig.sim.tables.jobs.delete(uuid)
  await rig.rounds(4)
  const facts = rig.keeper.facts
  expect(facts.map(fact => fact.type)).toEqual([
    'raas.job.defined',
    'raas.job.redefined',
    'raas.job.redefined',
    'raas.job.removed',
  ])
  expect(facts[1]?.data.changes).toEqual([
    { property: 'desc', old: '', new: 'Nightly' },
    { property: 'arg', old: null, new: null },
  ])
  // A definition that comes back as it was is a new fact all the same.
  expect(new Set(facts.map(fact => fact.id)).size).toBe(4)
  expect(JSON.stringify(facts)).not.toContain('s3cret')
})

test('jobs: false publishes returns only and asks for nothing else', async () => {
  rig = await makeRig({ config: { jobs: false } })
  await rig.start()
  const jid = route(rig, ['web01'])
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.rounds(5)
  expect(told()).toEqual(['return'])
  expect(rig.sim.record.requests.get('cmd.get_cmds')).toBeUndefined()
})

test('a server that can not sort by alter_time: returns come by the job loop', async () => {
  rig = await makeRig({ simulator: { sortByAlterTime: false } })
  await rig.start()
  expect(rig.keeper.reported('feed_mode')).toMatchObject([
    { feed: 'returns', mode: 'jobs' },
    { feed: 'jobs', mode: 'jobs' },
  ])
  const jid = route(rig, ['web01', 'web02'])
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.rounds(2)
  rig.sim.push('master1', [ret(jid, 'web02', true, { retcode: 3 })])
  await rig.rounds(2)
  await rig.restart()
  await rig.rounds(2)
  expect(rig.keeper.of('raas.return').map(fact => [fact.data.return?.minion, fact.data.outcome])).toEqual([
    ['web01', 'success'],
    ['web02', 'failure'],
  ])
  expect(rig.session?.retireBy).toBeGreaterThan(rig.clock.now())
})

test('a server that learns to sort: the next session walks, and tells nothing twice', async () => {
  rig = await makeRig({ simulator: { sortByAlterTime: false } })
  await rig.start()
  const jid = route(rig, ['web01'])
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.rounds(2)
  rig.sim.knobs.sortByAlterTime = true
  await rig.restart()
  expect(rig.keeper.reported('feed_mode').at(-2)).toMatchObject({ feed: 'returns', mode: 'tail_and_jobs' })
  rig.sim.push('master1', [ret('20260203040506000001', 'lone', true)])
  await rig.rounds(1)
  expect(rig.keeper.of('raas.return').map(fact => fact.data.return?.minion)).toEqual(['web01', 'lone'])
  expect(rig.session?.retireBy).toBeUndefined()
})

test('a server without ret: light rows, whole ones for failures', async () => {
  rig = await makeRig({ simulator: { hidden: new Set(['ret.get_returns']) }, config: { jobs: false } })
  await rig.start()
  const jid = route(rig, ['web01', 'web02'], 'state.apply')
  const broken = { 'file_|-a_|-/a_|-managed': { result: false, changes: {}, comment: 'no' } }
  rig.sim.push('master1', [
    ret(jid, 'web01', {}, { fun: 'state.apply' }),
    ret(jid, 'web02', broken, { fun: 'state.apply', retcode: 2 }),
  ])
  await rig.rounds(2)
  const facts = rig.keeper.facts
  expect(facts.map(fact => fact.type)).toEqual(['raas.return', 'raas.return'])
  expect(facts.map(fact => fact.data.return)).toMatchObject([
    { minion: 'web01', function: 'state.apply', omitted: true, failed: null },
    { minion: 'web02', function: 'state.apply', failed: 1, failedStates: ['file.managed: a'] },
  ])
})

test('an account that may read nothing says which role is needed; one that may read some goes on with it', async () => {
  rig = await makeRig({ simulator: { users: [{ ...ROOT, methods: ['api.get_versions'] }] } })
  await expect(rig.open()).rejects.toMatchObject({ name: 'Fatal', code: 'permission' })
  await rig.close()
  rig = await makeRig({ simulator: { users: [{ ...ROOT, methods: ['ret.get_returns'] }] }, config: { audit: true } })
  await rig.start('returns')
  expect(rig.keeper.reported('feed_state').filter(one => one.state === 'disabled')).toMatchObject([
    { feed: 'jobs', code: 'permission' },
    { feed: 'audit', code: 'permission' },
  ])
  rig.sim.push('master1', [ret('20260203040506000001', 'web01', true)])
  await rig.rounds(1, ['returns'])
  expect(told()).toEqual(['return'])
})

test('rights taken away in mid-life end the session, so that the next asks what is left', async () => {
  rig = await makeRig()
  await rig.start()
  rig.sim.knobs.hidden.add('cmd.get_cmds')
  await rig.clock.advance(15_000)
  await until(() => rig.error !== undefined, 'the end of the session')
  expect(rig.error).toMatchObject({ name: 'Retryable', code: 'session_lost' })
  await rig.stop()
  rig.sim.push('master1', [ret('20260203040506000001', 'web01', true)])
  await rig.start('returns')
  expect(told()).toEqual(['return'])
})

test('audit: who did what, secrets masked, our own reading left out', async () => {
  rig = await makeRig({ config: { audit: true, jobs: false } })
  await rig.start('returns', 'audit')
  rig.sim.tables.addAudit({
    ...{ username: 'alice', type: 'rpc', name: 'cmd.route_cmd', failed: true, startUs: rig.sim.tables.nowUs() },
    request: { headers: { Authorization: 'JWT abc.def.ghi', Host: 'raas' } },
  })
  await rig.rounds(3, ['returns', 'audit'])
  expect(rig.keeper.facts.map(fact => fact.type)).toEqual(['raas.audit'])
  const [fact] = rig.keeper.facts
  expect(fact).toMatchObject({ severitytext: 'warning', data: { outcome: 'failure', actor: { user: 'alice' } } })
  expect(fact?.data.raw).toMatchObject({ details: { headers: { Authorization: '********', Host: 'raas' } } })
})

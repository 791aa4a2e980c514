/** What RaaS is asked again for a replay: the same ids as live, nothing from before the time, and what ended later known as told. */
import { afterEach, expect, test } from 'vitest'
import type { Found } from '../../src/subscribers/contract.ts'
import { raasSubscriber } from '../../src/subscribers/raas/subscriber.ts'
import { ROOT, ret } from './bus.ts'
import { makeRig, type Rig, route } from './rig.ts'

let rig: Rig

afterEach(async () => {
  await rig.close()
})

/** Read by a visit of its own, as without a daemon. */
async function reread(fromMs: number, limits = {}): Promise<{ found: Found[]; remarks: readonly string[] }> {
  const visit = await raasSubscriber(rig.config, limits).visit(rig.context())
  const found: Found[] = []
  try {
    const remarks = await visit.past.reread(fromMs, new AbortController().signal, async (_feed, part) => {
      found.push(...part)
    })
    return { found, remarks }
  } finally {
    await visit.close()
  }
}

/** Those that nobody was told of, under no id. */
const untold = (found: readonly Found[]): string[] => {
  const ids = new Set(rig.keeper.facts.map(({ id }) => id))
  return found
    .filter(({ fact, sameAs = [] }) => ![fact.id, ...sameAs].some(id => ids.has(id)))
    .map(({ fact }) => fact.type)
}

test('what was told is found under the id that it was told by, a run that a late return changed too', async () => {
  rig = await makeRig({ config: { sweep_interval: '1h' } })
  await rig.start()
  const fromMs = rig.clock.wall()
  const jid = route(rig, ['web01', 'web02'])
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.rounds(6)
  rig.sim.push('master1', [ret(jid, 'web02', true)])
  await rig.rounds(3)
  const types = rig.keeper.facts.filter(({ partitionkey }) => partitionkey === jid).map(({ type }) => type)
  expect(types).toContain('raas.run.missing')
  expect(types.at(-1)).toBe('raas.run.updated')
  const { found, remarks } = await reread(fromMs)
  expect(remarks).toEqual([])
  expect(found.map(({ fact }) => fact.type)).toEqual([
    'raas.return',
    'raas.return',
    'raas.run.started',
    'raas.run.completed',
  ])
  expect(new Set(found.map(({ fact }) => fact.origin))).toEqual(new Set(['backfill']))
  expect(untold(found)).toEqual([])
})

test('nothing from before the time is given, and a walk that may not go further says so', async () => {
  rig = await makeRig()
  await rig.start()
  const old = route(rig, ['web01'])
  rig.sim.push('master1', [ret(old, 'web01', true)])
  await rig.rounds(4)
  const fromMs = rig.clock.wall()
  const jid = route(rig, ['web02'])
  rig.sim.push('master1', [ret(jid, 'web02', true)])
  await rig.rounds(2)
  const { found } = await reread(fromMs)
  expect(found.length).toBe(3)
  expect(found.every(({ fact }) => fact.partitionkey.startsWith(jid))).toBe(true)
  rig.sim.push(
    'master1',
    Array.from({ length: 450 }, (_, n) => ret(jid, `many${n}`, true)),
  )
  const { remarks } = await reread(fromMs, { maxRows: 200 })
  expect(remarks).toEqual(['returns: only the newest 200 rows were read'])
})

test('a method that the account may not call is a remark, not the end', async () => {
  const methods = ['ret.get_returns', 'cmd.get_cmds']
  rig = await makeRig({ simulator: { users: [{ ...ROOT, methods }] }, config: { audit: true } })
  await rig.start()
  const fromMs = rig.clock.wall()
  const jid = route(rig, ['web01'])
  rig.sim.push('master1', [ret(jid, 'web01', true)])
  await rig.rounds(2)
  const { found, remarks } = await reread(fromMs)
  expect(found.length).toBe(3)
  expect(remarks).toEqual(['audit: the server refuses audit.get_audit to this account'])
})

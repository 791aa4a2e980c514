/** The demo's life as the subscriber sees it: within 15 seconds something of everything. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runRaasLife } from '../../src/simulators/raas/life.ts'
import { ROOT } from './bus.ts'
import { makeRig } from './rig.ts'

test('definitions, runs and returns of the life arrive, each once', async () => {
  const rig = await makeRig({
    simulator: { retrieveAfterMs: 2000, missingAfterMs: 6000 },
    config: { poll_interval: '1s' },
  })
  const over = new AbortController()
  try {
    await rig.start()
    const ca = readFileSync(join(rig.directory, 'ca.pem'), 'utf8')
    const life = runRaasLife(rig.sim.url, ca, ROOT, rig.clock, over.signal)
    await rig.rounds(15)
    const types = new Set(rig.keeper.facts.map(fact => fact.type))
    expect([...types]).toEqual(
      expect.arrayContaining([
        ...['raas.job.defined', 'raas.run.started', 'raas.run.updated', 'raas.run.completed'],
        'raas.return',
      ]),
    )
    const outcomes = new Set(rig.keeper.of('raas.return').map(fact => fact.data.outcome))
    expect(outcomes).toEqual(new Set(['success', 'failure']))
    await rig.rounds(10)
    expect(rig.keeper.of('raas.run.missing').length).toBeGreaterThan(0)
    over.abort()
    await life
    await rig.rounds(3)
    expect(rig.keeper.of('raas.return')).toHaveLength(rig.sim.record.returns.length)
    expect(rig.keeper.dead).toEqual([])
  } finally {
    over.abort()
    await rig.close()
  }
})

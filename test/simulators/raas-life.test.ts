/** The demo's life: enough of everything within 15 seconds. */
import { expect, test } from 'vitest'
import { runRaasLife } from '../../src/simulators/raas/life.ts'
import { startRaasSimulator } from '../../src/simulators/raas/server.ts'
import { makeCertificate } from '../../src/simulators/server.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

const USER = { username: 'root', password: 'salt' }

test('within 15 seconds: a definition, runs of every kind, good and failed returns; ends at the abort', async () => {
  const certificate = await makeCertificate()
  const clock = new ManualClock()
  const knobs = { retrieveAfterMs: 2000, missingAfterMs: 6000 }
  const sim = await startRaasSimulator({ time: clock, certificate, users: [USER], ...knobs })
  const over = new AbortController()
  const life = runRaasLife(sim.url, certificate.cert, USER, clock, over.signal)
  try {
    const seen = new Set<string>()
    for (let second = 0; second < 15; second++) {
      await until(() => clock.waiting > 0, 'the next beat')
      await clock.advance(1000)
      for (const run of sim.tables.runs.values()) seen.add(String(sim.tables.runRow(run)['state']))
    }
    expect(sim.tables.jobs.size).toBeGreaterThanOrEqual(2)
    expect([...seen]).toEqual(expect.arrayContaining(['retrieved', 'completed_all_successful', 'completed_failures']))
    const outcomes = new Set(sim.tables.returns.map(row => row.hasErrors))
    expect(outcomes).toEqual(new Set([true, false]))
  } finally {
    over.abort()
    await life
    await sim.close()
  }
})

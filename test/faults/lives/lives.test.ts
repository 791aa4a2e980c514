/** Two short runs of what `npm run test:faults -- --lives` does for hours. */
import { expect, it } from 'vitest'
import { runLife } from './run-life.ts'

const SETTING = { scale: 2, fields: 'whole', lateness: 'fixed', stepMs: 40, reconcileSeconds: 1 } as const

it.each([
  { seed: 1, restarts: false },
  { seed: 2, restarts: true },
])('each step of faults that live and die around holes is told once, or announced: seed $seed', async life => {
  const { judgement, evidence, strikes } = await runLife({ ...life, spanMs: 1500, setting: SETTING, slackMs: 1000 })
  expect(evidence.join('\n')).toBe('')
  expect(judgement.owed).toBeGreaterThan(20)
  expect(strikes).toBeGreaterThan(2)
})

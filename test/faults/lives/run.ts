/** `npm exec -c 'node test/faults/lives/run.ts --seed S --minutes M'`: lives of faults around holes, thousands of hand-overs a minute. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../../../src/scheduler/clock.ts'
import { runLife } from './run-life.ts'
import type { LifeSetting } from './setting.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    minutes: { type: 'string', default: '0' },
    jobs: { type: 'string', default: '6' },
    span: { type: 'string', default: '4' },
    restarts: { type: 'boolean', default: false },
    delays: { type: 'boolean', default: false },
    slack: { type: 'string', default: '100' },
    set: { type: 'string', default: '{}' },
    out: { type: 'string', default: 'out/lives' },
  },
})
const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}
const end = systemClock.now() + Number(values.minutes) * 60_000
const totals = { runs: 0, strikes: 0, subscriptions: 0, owed: 0, found: 0, excused: 0, gaps: 0, failed: [] as number[] }
const first = Number(values.seed)
let next = first
mkdirSync(values.out, { recursive: true })

async function work(): Promise<void> {
  while (next === first || systemClock.now() < end) {
    const seed = next++
    try {
      const { strikes, subscriptions, judgement, evidence } = await runLife({
        seed,
        spanMs: Number(values.span) * 1000,
        restarts: values.restarts,
        delays: values.delays,
        setting: JSON.parse(values.set) as Partial<LifeSetting>,
        slackMs: Number(values.slack),
      })
      totals.runs++
      totals.strikes += strikes
      totals.subscriptions += subscriptions
      totals.owed += judgement.owed
      totals.found += judgement.found
      totals.excused += judgement.excused
      totals.gaps += judgement.gaps.length
      if (judgement.wrongs.length === 0) continue
      totals.failed.push(seed)
      const path = join(values.out, `seed-${seed}.txt`)
      writeFileSync(path, `${evidence.join('\n')}\n`)
      say(`seed ${seed}: ${judgement.wrongs.length} wrongs: ${judgement.wrongs[0]?.slice(0, 200)}; ${path}`)
    } catch (error) {
      totals.failed.push(seed)
      say(`seed ${seed}: broken off: ${error instanceof Error ? error.stack : String(error)}`)
    }
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work))
say(JSON.stringify(totals))
process.exitCode = totals.failed.length === 0 ? 0 : 1

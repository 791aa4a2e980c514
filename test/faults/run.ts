/**
 * `npm run test:faults`: the tables and the directed tests. With `--minutes N` or `--seed S`: random schedules of faults
 * against the whole daemon; with `--lives` many short ones against its APIC source. docs/FAULTS.md tells of all. Exits with 1 when anything is wrong.
 */
import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runLives } from './lives/many.ts'
import type { LifeSetting } from './lives/setting.ts'
import { runLong } from './whole/long.ts'

const HELP = `npm run test:faults -- [words for vitest]
  the tables and the directed tests; e.g. -t 'half-open socket$'

npm run test:faults -- --seed S [options]
  random schedules of faults against the whole daemon
  --seed S       the first seed (1)
  --minutes N    seeds S, S+1, … are begun for so long; without it S alone, with its schedule
  --jobs N       so many at a time (1)
  --only I,J     only these strikes of the schedule, by their numbers
  --span N       faults begin and end within so many seconds (20)
  --out DIR      where summary.json and the logs of what failed go (out/faults)

npm run test:faults -- --lives [options]
  faults that live and die faster than any fabric's, around holes, against the APIC source in this process
  --seed S, --minutes N, --jobs N (8), --span N (4), --out DIR (out/lives): as above
  --no-restarts  the source is not stopped and started
  --delays       log records may be written later than their step
  --slack N      so far a loss may lie outside of the gap that tells of it, ms (100)
  --setting JSON settings instead of what is drawn, e.g. '{"fields":"whole"}'
`

const words = process.argv.slice(2)
if (words.includes('--help')) process.stdout.write(HELP)
else if (words.includes('--lives')) process.exitCode = (await lives()) ? 0 : 1
else if (words.some(word => /^--(seed|minutes)\b/.test(word))) process.exitCode = (await long()) ? 0 : 1
else process.exitCode = tables()

function tables(): number {
  const vitest = resolve(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')
  const config = resolve(import.meta.dirname, 'vitest.config.ts')
  return spawnSync(process.execPath, [vitest, 'run', '--config', config, ...words], { stdio: 'inherit' }).status ?? 1
}

function long(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '0' },
      jobs: { type: 'string', default: '1' },
      only: { type: 'string' },
      span: { type: 'string', default: '20' },
      out: { type: 'string', default: 'out/faults' },
    },
  })
  return runLong({
    firstSeed: number('seed', values.seed),
    forMs: number('minutes', values.minutes) * 60_000,
    jobs: Math.max(1, number('jobs', values.jobs)),
    more: ['--span', values.span, ...(values.only === undefined ? [] : ['--only', values.only])],
    folder: values.out,
    say: line => {
      process.stdout.write(`${line}\n`)
    },
  })
}

function lives(): Promise<boolean> {
  const { values } = parseArgs({
    allowNegative: true,
    options: {
      lives: { type: 'boolean' },
      seed: { type: 'string', default: '1' },
      minutes: { type: 'string', default: '0' },
      jobs: { type: 'string', default: '8' },
      span: { type: 'string', default: '4' },
      restarts: { type: 'boolean', default: true },
      delays: { type: 'boolean', default: false },
      slack: { type: 'string', default: '100' },
      setting: { type: 'string', default: '{}' },
      out: { type: 'string', default: 'out/lives' },
    },
  })
  return runLives({
    firstSeed: number('seed', values.seed),
    forMs: number('minutes', values.minutes) * 60_000,
    jobs: Math.max(1, number('jobs', values.jobs)),
    spanMs: number('span', values.span) * 1000,
    restarts: values.restarts,
    delays: values.delays,
    slackMs: number('slack', values.slack),
    setting: JSON.parse(values.setting) as Partial<LifeSetting>,
    folder: values.out,
    say: line => {
      process.stdout.write(`${line}\n`)
    },
  })
}

function number(name: string, text: string): number {
  const value = Number(text)
  if (!(value >= 0)) throw new Error(`--${name} must be a number`)
  return value
}

/**
 * `npm run model`: a seeded run of one source against its simulator, with everything that goes wrong at once, counted against the
 * simulator's own record. Exits with 1 when anything was lost, doubled, invented or attributed wrongly.
 */
import { parseArgs } from 'node:util'
import { formatDuration, parseDuration } from '../src/config/units.ts'
import { systemClock } from '../src/scheduler/clock.ts'
import { runModel } from '../test/vcd/model.ts'

const HELP = `npm run model -- vcd [options]
  --events N       audit rows at least (100000)
  --seed N         of all that happens (1)
  --late TIME      the latest that a row becomes visible after its stamp (9m30s)
  --overlap TIME   of the source (10m)
`

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    events: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    late: { type: 'string', default: '9m30s' },
    overlap: { type: 'string', default: '10m' },
    help: { type: 'boolean', default: false },
  },
})

function whole(name: 'events' | 'seed'): number {
  const value = Number(values[name])
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number above 0`)
  return value
}

function time(name: 'late' | 'overlap'): number {
  const ms = parseDuration(values[name])
  if (ms === undefined || ms <= 0) throw new Error(`--${name} must be a time, such as 90s or 5m`)
  return ms
}

async function vcd(): Promise<boolean> {
  const [events, seed, lateMs, overlapMs] = [whole('events'), whole('seed'), time('late'), time('overlap')]
  const say = (text: string): void => void process.stderr.write(`${text}\n`)
  say(`vcd, seed ${seed}: rows up to ${formatDuration(lateMs)} late, overlap ${formatDuration(overlapMs)}`)
  const start = systemClock.now()
  const result = await runModel({ events, seed, lateMs, overlapMs, say })
  for (const [name, value] of Object.entries(result)) process.stdout.write(`${name.padEnd(18)} ${value}\n`)
  process.stdout.write(`${'seconds'.padEnd(18)} ${Math.round((systemClock.now() - start) / 1000)}\n`)
  const { lost, twice, invented, wrongToken, flaggedTwice } = result
  return lost + twice + invented + wrongToken + flaggedTwice === 0
}

const [system, ...more] = positionals
if (values.help) {
  process.stdout.write(HELP)
} else if (system !== 'vcd' || more.length > 0) {
  process.stderr.write(HELP)
  process.exitCode = 64
} else if (!(await vcd())) {
  process.exitCode = 1
}

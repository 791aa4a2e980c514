/** The long model run of VCD: what came of it. What is lived through, and how it is counted: test/vcd/model.ts. */
import { parseArgs } from 'node:util'
import { formatDuration, parseDuration } from '../src/config/units.ts'
import { systemClock } from '../src/scheduler/clock.ts'
import { runModel } from '../test/vcd/model.ts'
import { whole } from './whole.ts'

const HELP = `npm run model -- vcd [options]
  --events N       audit rows at least (100000)
  --seed N         of all that happens (1)
  --late TIME      the latest that a row becomes visible after its stamp (9m30s)
  --overlap TIME   of the source (10m)
`

/** True when nothing was lost, doubled, invented or attributed wrongly. */
export async function modelOfVcd(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      late: { type: 'string', default: '9m30s' },
      overlap: { type: 'string', default: '10m' },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return true
  }
  const [events, seed] = [whole('events', values.events), whole('seed', values.seed)]
  const [lateMs, overlapMs] = [time('late', values.late), time('overlap', values.overlap)]
  const say = (text: string): void => void process.stderr.write(`${text}\n`)
  say(`vcd, seed ${seed}: rows up to ${formatDuration(lateMs)} late, overlap ${formatDuration(overlapMs)}`)
  const start = systemClock.now()
  const result = await runModel({ events, seed, lateMs, overlapMs, say })
  for (const [name, value] of Object.entries(result)) process.stdout.write(`${name.padEnd(18)} ${value}\n`)
  process.stdout.write(`${'seconds'.padEnd(18)} ${Math.round((systemClock.now() - start) / 1000)}\n`)
  const { lost, twice, invented, wrongToken, flaggedTwice } = result
  return lost + twice + invented + wrongToken + flaggedTwice === 0
}

function time(name: string, text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms <= 0) throw new Error(`--${name} must be a time, such as 90s or 5m`)
  return ms
}

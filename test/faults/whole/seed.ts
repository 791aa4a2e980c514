/** One seed in a process of its own: the schedule on stderr, the result as one line of JSON on stdout. Started by `test/faults/run.ts`. */
import { parseArgs } from 'node:util'
import { runSeed } from './run-seed.ts'

const { values } = parseArgs({
  options: { seed: { type: 'string' }, only: { type: 'string' }, span: { type: 'string', default: '20' } },
})

// So that what hangs on the end of the process is done: the nats-server, the daemon, the disk.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const only = values.only === undefined ? {} : { only: new Set(values.only.split(',').filter(Boolean).map(Number)) }
const { result } = await runSeed({
  seed: Number(values.seed),
  spanMs: Number(values.span) * 1000,
  ...only,
  say: text => process.stderr.write(`${text}\n`),
})
process.stdout.write(`${JSON.stringify(result)}\n`)

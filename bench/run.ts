/**
 * `npm run bench`: what the daemon does and costs on this machine, in one run. docs/BENCHMARKS.md tells how to read it.
 * It measures and asserts no time; it fails when events are missing or doubled, or when something does not run.
 */
import { parseArgs } from 'node:util'
import { systemClock } from '../src/scheduler/clock.ts'
import { catchUp } from './catch-up.ts'
import { FROM_SOURCE } from './daemon.ts'
import { commit, writeDocuments } from './document.ts'
import { emit } from './emitted.ts'
import { type Latency, latency } from './latency.ts'
import { load, machine, today } from './machine.ts'
import { memory } from './memory.ts'
import { normaliseRates } from './normalise.ts'
import { parts } from './parts.ts'
import { profiles } from './profile.ts'
import { raasPolls } from './raas.ts'
import { report } from './report.ts'
import { type Figures, fromJson, PARTS, type Part, type Recorded, type Result, toJson } from './result.ts'
import { Rig } from './rig.ts'
import { Scratch } from './scratch.ts'
import { startUp } from './start-up.ts'
import { subscriptions } from './subscriptions.ts'
import { vcdPolls } from './vcd.ts'
import { whole } from './whole.ts'
import { wholeWay } from './whole-way.ts'

const HELP = `npm run bench -- [options]
  --only PARTS     of ${PARTS.join(',')}; all but catchup when not given
  --events N       events of a whole-way lap (50000), a fifth of it for the one object; rows of VCD's catch-up
  --rounds N       rounds of way, parts and normalise (5)
  --starts N       starts for the start-up time (5)
  --held N         events of each of the two floods before a look at the memory (200000)
  --seconds N      of each run at a rate, after 3 s of warming up (15)
  --backlog N      events that are stored while NATS is away (1000000), for catchup
  --nats VERSION   exactly this nats-server (2.12 or newer)
  --json           the result as JSON on standard output, the tables on standard error
  --write-docs     what was measured goes into docs/benchmarks.json, and into the tables of docs/BENCHMARKS.md
`

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: PARTS.filter(part => part !== 'catchup').join(',') },
    events: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '5' },
    starts: { type: 'string', default: '5' },
    held: { type: 'string', default: '200000' },
    seconds: { type: 'string', default: '15' },
    backlog: { type: 'string', default: '1000000' },
    nats: { type: 'string' },
    json: { type: 'boolean', default: false },
    'write-docs': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const OBJECTS = 1000
/** Pushes of one turn, or of one class, where only a part of the daemon runs. */
const PART_EVENTS = 20_000
const RATES = [100, 1000, 5000]
const SUBSCRIPTIONS = [10, 500, 2000]
const HOTTEST = 25

const count = (name: 'events' | 'rounds' | 'starts' | 'held' | 'seconds' | 'backlog'): number =>
  whole(name, values[name])

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

type Measures = { readonly [P in Part]: (rig: Rig) => Promise<Figures[P]> | Figures[P] }

function measures(scratch: Scratch): Measures {
  const [events, rounds, starts] = [count('events'), count('rounds'), count('starts')]
  const [held, seconds, backlog] = [count('held'), count('seconds'), count('backlog')]
  let built: Promise<string> | undefined
  const emitted = (): Promise<string> => {
    built ??= emit(scratch)
    return built
  }
  return {
    normalise: () => normaliseRates({ events: PART_EVENTS, rounds, objects: OBJECTS }),
    start: async rig => [
      await startUp(rig, 'src/main.ts', FROM_SOURCE, starts),
      await startUp(rig, 'dist/main.js', await emitted(), starts),
    ],
    latency: async rig => {
      const rows: Latency[] = []
      for (const cls of ['eventRecord', 'faultInst'] as const) {
        for (const rate of RATES) rows.push(await latency(rig, cls, rate, seconds))
      }
      return rows
    },
    way: rig => wholeWay(rig, { events, rounds, objects: OBJECTS }, say),
    parts: rig => parts(rig, { events: PART_EVENTS, rounds, objects: OBJECTS }),
    profile: rig => profiles(rig, { count: events, objects: OBJECTS }, HOTTEST),
    memory: async rig => memory(rig, await emitted(), held),
    subscriptions: async rig => subscriptions(rig, await emitted(), SUBSCRIPTIONS),
    raas: () => raasPolls(events),
    vcd: () => vcdPolls(events),
    catchup: rig => catchUp(rig, backlog, say),
  }
}

async function measure(scratch: Scratch, wanted: ReadonlySet<Part>): Promise<Result> {
  const rig = await Rig.start(scratch, values.nats)
  const all = measures(scratch)
  const one = async <P extends Part>(part: P): Promise<Recorded<P>> => {
    say(`${part} …`)
    const [loadBefore, started] = [load(), systemClock.now()]
    const figures = await all[part](rig)
    say(`${part}: ${Math.round((systemClock.now() - started) / 1000)} s`)
    return { date: today(), commit: commit(), machine: machine(rig.broker.version, loadBefore), figures }
  }
  try {
    let result: Result = {}
    for (const part of PARTS) {
      if (!wanted.has(part)) continue
      const measured = fromJson(toJson({ [part]: await one(part) }))
      result = { ...result, ...measured }
      // At once: what comes after it may fail.
      if (values['write-docs']) writeDocuments(measured)
    }
    return result
  } finally {
    await rig.close()
  }
}

function partsOf(text: string): Set<Part> {
  const wanted = text.split(',').map(name => {
    const part = PARTS.find(one => one === name.trim())
    if (part === undefined) throw new Error(`--only: there is no "${name}", only ${PARTS.join(', ')}`)
    return part
  })
  return new Set(wanted)
}

if (values.help) {
  process.stdout.write(HELP)
} else {
  const scratch = new Scratch()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
  try {
    const result = await measure(scratch, partsOf(values.only))
    process[values.json ? 'stderr' : 'stdout'].write(`\n${report(result)}`)
    if (values.json) process.stdout.write(toJson(result))
  } finally {
    await scratch.close()
  }
}

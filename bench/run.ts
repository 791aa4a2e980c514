/**
 * `npm run bench`: what the daemon does and costs on this machine, in one run. docs/BENCHMARKS.md tells how to read it.
 * It measures and asserts no time; it fails when events are missing or doubled, or when something does not run.
 */
import { parseArgs } from 'node:util'
import { FROM_SOURCE } from './daemon.ts'
import { emit } from './emitted.ts'
import { latency } from './latency.ts'
import { load, machine, today } from './machine.ts'
import { memory } from './memory.ts'
import { normaliseRates } from './normalise.ts'
import { profile } from './profile.ts'
import { raasPolls } from './raas.ts'
import { type Result, tables } from './report.ts'
import { Rig } from './rig.ts'
import { Scratch } from './scratch.ts'
import { startUp } from './start-up.ts'
import { vcdPolls } from './vcd.ts'
import { wholeWay } from './whole-way.ts'

const PARTS = ['way', 'start', 'memory', 'latency', 'raas', 'vcd', 'normalise', 'profile'] as const
type Part = (typeof PARTS)[number]

const HELP = `npm run bench -- [options]
  --only PARTS     of ${PARTS.join(',')}; all but profile when not given
  --events N       events of a whole-way lap (50000); a fifth of it for the one object; rows of VCD's catch-up
  --rounds N       whole-way and normalise rounds, and no fewer than 1 (5)
  --starts N       starts for the start-up time (5)
  --held N         events before the second look at the memory (100000)
  --seconds N      of the run at 1000 events a second (20)
  --nats VERSION   exactly this nats-server (2.12 or newer)
  --json           the result as JSON on standard output, the tables on standard error
`

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: 'way,start,memory,latency,raas,vcd,normalise' },
    events: { type: 'string', default: '50000' },
    rounds: { type: 'string', default: '5' },
    starts: { type: 'string', default: '5' },
    held: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '20' },
    nats: { type: 'string' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const OBJECTS = 1000
const NOTHING = {
  startUp: undefined,
  latency: undefined,
  wholeWay: undefined,
  memory: undefined,
  raas: undefined,
  vcd: undefined,
  profile: undefined,
}

function count(name: 'events' | 'rounds' | 'starts' | 'held' | 'seconds'): number {
  const value = Number(values[name])
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} must be a whole number above 0`)
  return value
}

const say = (text: string): void => {
  process.stderr.write(`${text}\n`)
}

async function measure(scratch: Scratch, parts: ReadonlySet<Part>): Promise<Result> {
  const [events, rounds, starts] = [count('events'), count('rounds'), count('starts')]
  const [held, seconds] = [count('held'), count('seconds')]
  const loadBefore = load()
  // Before anything else runs, and without it: the normaliser needs no broker.
  const byClass = parts.has('normalise') ? normalising(rounds) : undefined
  if (byClass !== undefined && parts.size === 1) {
    return { ...NOTHING, normalise: byClass, date: today(), machine: machine('not started', loadBefore) }
  }
  const rig = await Rig.start(scratch, values.nats)
  try {
    const emitted = parts.has('start') || parts.has('memory') ? await emit(scratch) : ''
    const programs = [
      ['src/main.ts', FROM_SOURCE],
      ['dist/main.js', emitted],
    ] as const
    const each = async <T>(run: (from: string, entry: string) => Promise<T>): Promise<T[]> => {
      const all: T[] = []
      for (const [from, entry] of programs) all.push(await run(from, entry))
      return all
    }
    const part = async <T>(name: Part, run: () => Promise<T>): Promise<T | undefined> => {
      if (!parts.has(name)) return undefined
      say(`${name} …`)
      return run()
    }
    return {
      startUp: await part('start', () => each((from, entry) => startUp(rig, from, entry, starts))),
      latency: await part('latency', () => latency(rig, 1000, seconds)),
      wholeWay: await part('way', () => wholeWay(rig, { events, rounds, objects: OBJECTS }, say)),
      memory: await part('memory', () => each((from, entry) => memory(rig, from, entry, held))),
      raas: await part('raas', () => raasPolls(events)),
      vcd: await part('vcd', () => vcdPolls(events)),
      normalise: byClass,
      profile: await part('profile', () => profile(rig, { cls: 'eventRecord', count: events, objects: OBJECTS }, 25)),
      date: today(),
      machine: machine(rig.broker.version, loadBefore),
    }
  } finally {
    await rig.close()
  }
}

function normalising(rounds: number) {
  say('normalise …')
  return normaliseRates({ events: 20_000, rounds, objects: OBJECTS })
}

function partsOf(text: string): Set<Part> {
  const parts = text.split(',').map(name => {
    const part = PARTS.find(one => one === name.trim())
    if (part === undefined) throw new Error(`--only: there is no "${name}", only ${PARTS.join(', ')}`)
    return part
  })
  return new Set(parts)
}

if (values.help) {
  process.stdout.write(HELP)
} else {
  const scratch = new Scratch()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => process.exit(130))
  try {
    const result = await measure(scratch, partsOf(values.only))
    process[values.json ? 'stderr' : 'stdout'].write(`\n${tables(result)}`)
    if (values.json) process.stdout.write(`${JSON.stringify(result, null, 2)}\n`)
  } finally {
    await scratch.close()
  }
}

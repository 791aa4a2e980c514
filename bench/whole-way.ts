/** Events per second through the whole way, beside a bare loop in the same run: rounds of both, by turns. */

import { quantile, type Spread, spread } from './figures.ts'
import type { Pushed } from './frames.ts'
import type { BareSays, Load } from './messages.ts'
import type { Rig } from './rig.ts'
import { Partner } from './scratch.ts'
import { cpuMs } from './usage.ts'

export interface Lap {
  readonly perSecond: number
  /** Processor time of the subscriber, of nats-server and of the source, µs for each event. */
  readonly cpuUs: number
  readonly natsCpuUs: number
  readonly sourceCpuUs: number
  /** Mean size in the stream. */
  readonly eventBytes: number
}

export interface Row {
  readonly name: string
  readonly cls: Pushed
  readonly course: Course['kind']
  readonly events: number
  readonly rounds: number
  readonly perSecond: Spread
  readonly cpuUs: number
  readonly natsCpuUs: number
  readonly sourceCpuUs: number
  readonly frameBytes: number
  readonly eventBytes: number
  /** Over the rounds: this row's speed by that of each bare loop of the same class in the same round. */
  readonly bySmallest: Spread
  readonly byFull: Spread
  /** The loop of full size that stores each event before it publishes it. */
  readonly byDurable: Spread
}

export interface WholeWayOptions {
  readonly events: number
  readonly rounds: number
  readonly objects: number
}

/** The bare loops, by what they do. */
type Bare = 'smallest' | 'full' | 'durable'

interface Course {
  readonly kind: 'whole way' | Bare | 'one object' | 'source'
  readonly name: string
  readonly load: Load
  run(rig: Rig, load: Load): Promise<Lap>
}

/** The bare loops that the daemon is held against in one class. */
interface Beside extends Readonly<Record<Bare, Course>> {
  readonly cls: Pushed
}

function coursesOf({ events, objects }: WholeWayOptions): { courses: Course[]; besides: Beside[] } {
  const flood = { cls: 'eventRecord', count: events, objects } as const
  const faults = { ...flood, cls: 'faultInst' } as const
  const bare = (name: string, load: Load, mode: Bare): Course => ({
    kind: mode,
    name: `bare loop, ${name}, ${load.cls}`,
    load,
    run: (rig, of) => bareLap(rig, of, mode),
  })
  const besides: Beside[] = [
    {
      cls: 'eventRecord',
      smallest: bare('smallest envelope', flood, 'smallest'),
      full: bare('full size', flood, 'full'),
      durable: bare('full size, stored', flood, 'durable'),
    },
    {
      cls: 'faultInst',
      smallest: bare('smallest envelope', faults, 'smallest'),
      full: bare('full size, last versions kept', faults, 'full'),
      durable: bare('full size, last versions kept, stored', faults, 'durable'),
    },
  ]
  const one = { ...flood, count: Math.max(1, Math.round(events / 5)), objects: 1 }
  const [records, states] = besides.map(beside => [beside.smallest, beside.full, beside.durable])
  return {
    besides,
    courses: [
      { kind: 'whole way', name: `whole way, eventRecord of ${objects} objects`, load: flood, run: daemonLap },
      ...(records ?? []),
      { kind: 'whole way', name: `whole way, faultInst (mirrored), ${objects} faults`, load: faults, run: daemonLap },
      ...(states ?? []),
      { kind: 'one object', name: 'whole way, eventRecord of one object', load: one, run: daemonLap },
      { kind: 'source', name: 'source alone: read and counted', load: flood, run: countLap },
    ],
  }
}

/** Each round runs every course once; the order turns, so that no course always runs after the same one. */
export async function wholeWay(rig: Rig, options: WholeWayOptions, say: (text: string) => void): Promise<Row[]> {
  const { rounds } = options
  const { courses, besides } = coursesOf(options)
  const laps = new Map<Course, Lap[]>(courses.map(course => [course, []]))
  const sizes = new Map<Course, number>()
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < courses.length; at++) {
      const course = courses[(at + round) % courses.length]
      if (course === undefined) continue
      sizes.set(course, await rig.prepare(course.load))
      const lap = await course.run(rig, course.load)
      laps.get(course)?.push(lap)
      say(`round ${round + 1}/${rounds}: ${course.name}: ${Math.round(lap.perSecond)}/s`)
    }
  }
  return courses.map(course => {
    const own = laps.get(course) ?? []
    const beside = besides.find(one => one.cls === course.load.cls)
    const by = (bare: Course | undefined): Spread => {
      const others = bare === undefined ? [] : (laps.get(bare) ?? [])
      return spread(own.map((lap, round) => lap.perSecond / (others[round]?.perSecond ?? Number.NaN)))
    }
    return {
      name: course.name,
      cls: course.load.cls,
      course: course.kind,
      events: course.load.count,
      rounds: own.length,
      perSecond: spread(own.map(lap => lap.perSecond)),
      cpuUs: median(own.map(lap => lap.cpuUs)),
      natsCpuUs: median(own.map(lap => lap.natsCpuUs)),
      sourceCpuUs: median(own.map(lap => lap.sourceCpuUs)),
      frameBytes: sizes.get(course) ?? Number.NaN,
      eventBytes: median(own.map(lap => lap.eventBytes)),
      bySmallest: by(beside?.smallest),
      byFull: by(beside?.full),
      byDurable: by(beside?.durable),
    }
  })
}

const median = (values: readonly number[]): number => quantile(values, 0.5)

/** The daemon, fresh, with an empty store and an empty stream. From the first push to the last message in the stream. */
export async function daemonLap(rig: Rig, load: Load, nodeOptions: readonly string[] = []): Promise<Lap> {
  const stream = rig.stream('WAY')
  const daemon = await rig.daemon(stream, [load.cls], { nodeOptions })
  const base = await rig.broker.count(stream)
  const lap = await time(rig, load, stream, base, daemon.pid, async () => {
    await daemon.until(status => status.store?.events === 0)
  })
  await daemon.stop()
  return lap
}

async function bareLap(rig: Rig, load: Load, mode: string): Promise<Lap> {
  const stream = rig.stream('BARE')
  await rig.broker.create(stream)
  const bare = await startBare(rig, stream, load, mode)
  const lap = await time(rig, load, stream, 0, bare.pid, async () => {
    await bare.next('done')
  })
  await bare.end()
  return lap
}

/** How fast the source is when nobody parses: it must not be what is measured. */
async function countLap(rig: Rig, load: Load): Promise<Lap> {
  const reader = await startBare(rig, 'none', load, 'count')
  const used = usage(reader.pid, rig)
  const startedMs = await rig.push()
  const { atMs } = await reader.next('done')
  const cpu = used(load.count)
  await rig.source.next('pushed')
  await reader.end()
  return {
    perSecond: (load.count * 1000) / (atMs - startedMs),
    ...cpu,
    natsCpuUs: Number.NaN,
    eventBytes: Number.NaN,
  }
}

/** Call the result for the processor time used since then, for each of so many events. */
function usage(
  pid: number,
  { broker, source }: Rig,
): (events: number) => Pick<Lap, 'cpuUs' | 'natsCpuUs' | 'sourceCpuUs'> {
  const look = (): number[] => [pid, broker.pid, source.pid].map(cpuMs)
  const before = look()
  return events => {
    const [cpuUs = Number.NaN, natsCpuUs = Number.NaN, sourceCpuUs = Number.NaN] = look().map(
      (ms, index) => ((ms - (before[index] ?? Number.NaN)) * 1000) / events,
    )
    return { cpuUs, natsCpuUs, sourceCpuUs }
  }
}

async function startBare(rig: Rig, stream: string, load: Load, mode: string): Promise<Partner<BareSays>> {
  const { scratch, fabric, broker, certificateFile } = rig
  const args = [
    fabric,
    broker.url,
    stream,
    stream.toLowerCase(),
    load.cls,
    String(load.count),
    mode,
    scratch.path('bare.db'),
  ]
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: certificateFile }
  const bare = new Partner<BareSays>(scratch, 'bare.ts', args, { env })
  await bare.next('subscribed')
  return bare
}

/** One flood: pushed, counted in the stream, acknowledged to the last (`acked`), judged by number, taken away. */
async function time(
  rig: Rig,
  load: Load,
  stream: string,
  base: number,
  pid: number,
  acked: () => Promise<void>,
): Promise<Lap> {
  const { broker } = rig
  const used = usage(pid, rig)
  const startedMs = await rig.push()
  const lastMs = await broker.holds(stream, base + load.count)
  await acked()
  const cpu = used(load.count)
  await rig.source.next('pushed')
  const arrived = await broker.judge(stream, load.count)
  await broker.remove(stream)
  return {
    perSecond: (load.count * 1000) / (lastMs - startedMs),
    ...cpu,
    eventBytes: arrived.reduce((sum, one) => sum + one.bytes, 0) / load.count,
  }
}

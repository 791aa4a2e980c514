/**
 * A long outage of NATS: so many events lie in the store, then NATS comes back while the fabric goes on at an everyday
 * rate. How fast is the store drained, beside the whole way without a backlog; and what happens to the others meanwhile?
 */
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import type { Arrived } from './broker.ts'
import type { Daemon } from './daemon.ts'
import { type Quantiles, quantiles } from './latency.ts'
import type { Rig } from './rig.ts'
import { valuesOf } from './scrape.ts'
import { cpuMs, residentBytes } from './usage.ts'
import { daemonLap } from './whole-way.ts'

export interface CatchUp {
  readonly backlog: number
  /** Into the store while NATS was away. */
  readonly storedPerSecond: number
  readonly drainSeconds: number
  /** Published meanwhile, those that came live among them. */
  readonly drainPerSecond: number
  /** The whole way without a backlog, before it and after it. */
  readonly wholeWayPerSecond: readonly [number, number]
  readonly livePerSecond: number
  readonly live: number
  /** Of the live ones, ms: from the source's stamp until taken down; and from that into the stream once the backlog was gone. */
  readonly pushedToRecorded: Quantiles
  readonly recordedToStoredAfter: Quantiles
  readonly longestLagSeconds: number
  /** Smallest margin that the daemon told of a lease of each kind, s. */
  readonly subscriptionMargin: number
  readonly sessionMargin: number
  readonly cpuUs: number
  readonly fullBytes: number
  readonly drainedBytes: number
}

const OBJECTS = 1000
/** So many pushes are spelt out ahead. */
const CHUNK = 100_000
const LIVE_PER_SECOND = 1000
/** The live ones go on for this long when the backlog is gone. */
const AFTER_MS = 10_000
const WATCH_MS = 250
/** Events of a lap without a backlog. */
const LAP = 100_000
/** A row of the store and of the stream is no larger. */
const ROW_BYTES = 4096

export async function catchUp(rig: Rig, backlog: number, say: (text: string) => void): Promise<CatchUp> {
  const lap = { cls: 'eventRecord', count: Math.min(LAP, backlog), objects: OBJECTS } as const
  await rig.prepare(lap)
  const before = await daemonLap(rig, lap)
  say(`without a backlog: ${Math.round(before.perSecond)}/s`)

  const stream = rig.stream('LATE')
  const bytes = `${1024 + Math.ceil((backlog * ROW_BYTES) / 2 ** 20)}MiB`
  const daemon = await rig.daemon(stream, ['eventRecord'], {
    top: [`store: { max_bytes: ${bytes} }`],
    streamSettings: [`max_bytes: ${bytes}`],
  })
  await rig.broker.away()
  const filling = systemClock.now()
  for (let first = 0; first < backlog; first += CHUNK) {
    const count = Math.min(CHUNK, backlog - first)
    await rig.prepare({ cls: 'eventRecord', count, objects: OBJECTS, first })
    await rig.push()
    await rig.source.next('pushed')
    await daemon.until(({ store }) => (store?.events ?? 0) >= first + count)
    say(`${first + count} stored`)
  }
  const storedPerSecond = (backlog * 1000) / (systemClock.now() - filling)
  const fullBytes = residentBytes(daemon.pid)

  const drained = await drain(rig, daemon, stream, backlog)
  say(`drained in ${drained.seconds.toFixed(1)} s: ${Math.round(drained.perSecond)}/s`)
  const arrived = await rig.broker.judge(stream, backlog + drained.live)
  const drainedBytes = residentBytes(daemon.pid)
  await daemon.stop()
  await rig.broker.remove(stream)
  await rig.prepare(lap)
  const after = await daemonLap(rig, lap)
  return {
    backlog,
    storedPerSecond,
    drainSeconds: drained.seconds,
    drainPerSecond: drained.perSecond,
    wholeWayPerSecond: [before.perSecond, after.perSecond],
    livePerSecond: LIVE_PER_SECOND,
    live: drained.live,
    ...delays(
      arrived.filter(one => one.number >= backlog),
      drained.overMs,
    ),
    longestLagSeconds: drained.lag,
    subscriptionMargin: drained.subscription,
    sessionMargin: drained.session,
    cpuUs: drained.cpuUs,
    fullBytes,
    drainedBytes,
  }
}

function delays(live: readonly Arrived[], overMs: number): Pick<CatchUp, 'pushedToRecorded' | 'recordedToStoredAfter'> {
  const late = live.filter(one => one.recordedMs > overMs)
  return {
    pushedToRecorded: quantiles(live.map(one => one.recordedMs - one.createdMs)),
    recordedToStoredAfter: quantiles(late.map(one => one.storedMs - one.recordedMs)),
  }
}

/** From the moment that the daemon is connected again until what waits is less than a second's worth of live events. */
async function drain(rig: Rig, daemon: Daemon, stream: string, backlog: number) {
  let lag = 0
  let [subscription, session] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]
  const watch = async (): Promise<void> => {
    const page = await daemon.get('/metrics')
    lag = Math.max(lag, ...valuesOf(page, 'opswire_event_loop_lag_seconds'))
    subscription = Math.min(subscription, ...valuesOf(page, 'opswire_lease_margin_seconds', 'lease="subscription"'))
    session = Math.min(session, ...valuesOf(page, 'opswire_lease_margin_seconds', 'lease="session"'))
    await sleep(systemClock, WATCH_MS)
  }
  rig.source.tell({
    ask: 'pace',
    cls: 'eventRecord',
    count: Number.MAX_SAFE_INTEGER,
    objects: OBJECTS,
    perSecond: LIVE_PER_SECOND,
    first: backlog,
  })
  await rig.source.next('started')
  await rig.broker.back()
  await daemon.until(({ sink }) => sink?.up === true)
  const [cpu, startedMs, held] = [cpuMs(daemon.pid), systemClock.now(), await rig.broker.count(stream)]
  let waits = backlog
  while (waits > LIVE_PER_SECOND) {
    await watch()
    await daemon.until(({ store }) => {
      waits = store?.events ?? waits
      return true
    })
  }
  const seconds = (systemClock.now() - startedMs) / 1000
  const published = (await rig.broker.count(stream)) - held
  const cpuUs = ((cpuMs(daemon.pid) - cpu) * 1000) / published
  const overMs = systemClock.wall()
  while (systemClock.wall() < overMs + AFTER_MS) await watch()
  rig.source.tell({ ask: 'halt' })
  const { count: live } = await rig.source.next('pushed')
  await daemon.until(({ store }) => store?.events === 0)
  return { seconds, perSecond: published / seconds, live, overMs, lag, subscription, session, cpuUs }
}

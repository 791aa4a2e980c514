/** What a quiet subscription costs: memory, requests, processor time, with nothing to tell. */
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import type { Daemon } from './daemon.ts'
import type { Rig } from './rig.ts'
import { sumOf } from './scrape.ts'
import { cpuMs, residentBytes } from './usage.ts'

export interface Quiet {
  readonly subscriptions: number
  readonly bytes: number
  readonly requestsPerMinute: number
  /** Processor time of the daemon, ms a minute. */
  readonly cpuMsPerMinute: number
}

/** A subscription is renewed at a third of its minute: two turns of that. */
const COUNTED_MS = 40_000
/** After all are live: each has been renewed once by then. */
const SETTLE_MS = 20_000

const LIVE_WITHIN_MS = 300_000
/** A status with thousands of feeds is megabytes: asking for it all the time would slow down what is waited for. */
const LIVE_POLL_MS = 1000

/** A daemon for each number of subscriptions, all at once: they have nothing to do, and wait most of the time. */
export async function subscriptions(rig: Rig, entry: string, counts: readonly number[]): Promise<Quiet[]> {
  const running: Running[] = []
  for (const count of counts) running.push(await start(rig, entry, count))
  await sleep(systemClock, SETTLE_MS)
  const before = await Promise.all(running.map(look))
  await sleep(systemClock, COUNTED_MS)
  const after = await Promise.all(running.map(look))
  const rows = running.map(({ count }, index) => {
    const [from, to] = [before[index], after[index]]
    const perMinute = (of: (seen: Seen) => number): number =>
      from === undefined || to === undefined ? Number.NaN : ((of(to) - of(from)) * 60_000) / (to.atMs - from.atMs)
    return {
      subscriptions: count,
      bytes: to?.bytes ?? Number.NaN,
      requestsPerMinute: perMinute(seen => seen.requests),
      cpuMsPerMinute: perMinute(seen => seen.cpuMs),
    }
  })
  for (const { daemon, stream } of running) {
    await daemon.stop()
    await rig.broker.remove(stream)
  }
  return rows
}

interface Running {
  readonly count: number
  readonly daemon: Daemon
  readonly stream: string
}

async function start(rig: Rig, entry: string, count: number): Promise<Running> {
  const stream = rig.stream('QUIET')
  const daemon = await rig.daemon(stream, [], {
    entry,
    source: ['    health_scopes: []'],
    subscriptions: Array.from({ length: count }, (_, index) => `{ mo: uni/tn-${count}-${index} }`),
  })
  await daemon.until(
    ({ sources }) => sources.flatMap(one => one.feeds).filter(one => one.state === 'live').length >= count,
    LIVE_WITHIN_MS,
    LIVE_POLL_MS,
  )
  return { count, daemon, stream }
}

interface Seen {
  readonly atMs: number
  readonly bytes: number
  readonly cpuMs: number
  /** By the daemon's own count. */
  readonly requests: number
}

/** One scrape is within the time that is counted: what any daemon does that is watched. */
async function look({ daemon }: Running): Promise<Seen> {
  const page = await daemon.get('/metrics')
  return {
    atMs: systemClock.now(),
    bytes: residentBytes(daemon.pid),
    cpuMs: cpuMs(daemon.pid),
    requests: sumOf(page, 'opswire_request_seconds_count'),
  }
}

/** How long an event takes at an everyday rate, by its own stamps and by the daemon's histogram. */
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import { histogramQuantile, quantile } from './figures.ts'
import type { Rig } from './rig.ts'

export interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** All ms. Stamps have whole milliseconds. */
export interface Latency {
  readonly perSecond: number
  readonly events: number
  /** From the source's stamp, set as it sends, to the stream's. */
  readonly pushedToStored: Quantiles
  /** From the event's `recordedtime` to the stream's stamp. */
  readonly recordedToStored: Quantiles
  /** `opswire_delivery_seconds`: no finer than its buckets (5, 10, 25 ms, …). */
  readonly recordedToAcked: Pick<Quantiles, 'p50' | 'p99'>
}

/** Not counted: V8 compiles the daemon's hot functions meanwhile, once in its life. */
const WARM_UP_SECONDS = 3

export async function latency(rig: Rig, perSecond: number, seconds: number): Promise<Latency> {
  const warmUp = perSecond * WARM_UP_SECONDS
  const count = warmUp + perSecond * seconds
  const stream = rig.stream('PACE')
  const daemon = await rig.daemon(stream, ['eventRecord'])
  const base = await rig.broker.count(stream)
  rig.source.tell({ ask: 'pace', cls: 'eventRecord', count, objects: 1000, perSecond })
  await rig.source.next('started')
  await sleep(systemClock, WARM_UP_SECONDS * 1000)
  const before = await daemon.get('/metrics')
  await rig.source.next('pushed')
  await rig.broker.holds(stream, base + count)
  await daemon.until(status => status.store?.events === 0)
  const after = await daemon.get('/metrics')
  const arrived = (await rig.broker.judge(stream, count)).filter(one => one.number >= warmUp)
  await daemon.stop()
  await rig.broker.remove(stream)
  const acked = (part: number): number => histogramQuantile('opswire_delivery_seconds', part, before, after) * 1000
  return {
    perSecond,
    events: arrived.length,
    pushedToStored: quantiles(arrived.map(one => one.storedMs - one.createdMs)),
    recordedToStored: quantiles(arrived.map(one => one.storedMs - one.recordedMs)),
    recordedToAcked: { p50: acked(0.5), p99: acked(0.99) },
  }
}

function quantiles(values: readonly number[]): Quantiles {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99), max: quantile(values, 1) }
}

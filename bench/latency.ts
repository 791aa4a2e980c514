/** How long an event takes at an everyday rate: by the daemon's own acknowledgements, and by stamps. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { quantile } from './figures.ts'
import type { Pushed } from './frames.ts'
import type { Rig } from './rig.ts'

export interface Quantiles {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

/** All ms. Every time is a stamp of whole milliseconds, of one machine's clock; no figure is from buckets. */
export interface Latency {
  readonly cls: Pushed
  readonly perSecond: number
  readonly events: number
  /** From the event's `recordedtime` until the daemon has the stream's acknowledgement. */
  readonly recordedToAcked: Quantiles
  /** From the event's `recordedtime` to the stream's stamp. */
  readonly recordedToStored: Quantiles
  /** From the source's stamp, set as it sends, to the stream's. */
  readonly pushedToStored: Quantiles
}

/** Not counted: V8 compiles the daemon's hot functions meanwhile, once in its life. */
const WARM_UP_SECONDS = 3

export async function latency(rig: Rig, cls: Pushed, perSecond: number, seconds: number): Promise<Latency> {
  const warmUp = perSecond * WARM_UP_SECONDS
  const count = warmUp + perSecond * seconds
  const stream = rig.stream('PACE')
  const file = rig.scratch.path('acks')
  const nodeOptions = ['--import', join(import.meta.dirname, 'acks.ts')]
  const daemon = await rig.daemon(stream, [cls], { nodeOptions, env: { BENCH_ACKS: file } })
  const base = await rig.broker.count(stream)
  rig.source.tell({ ask: 'pace', cls, count, objects: 1000, perSecond })
  await rig.source.next('started')
  await rig.source.next('pushed')
  await rig.broker.holds(stream, base + count)
  await daemon.until(status => status.store?.events === 0)
  const arrived = (await rig.broker.judge(stream, count)).filter(one => one.number >= warmUp)
  await daemon.stop()
  await rig.broker.remove(stream)
  return {
    cls,
    perSecond,
    events: arrived.length,
    recordedToAcked: quantiles(acked(file, Math.min(...arrived.map(one => one.recordedMs)), arrived.length)),
    recordedToStored: quantiles(arrived.map(one => one.storedMs - one.recordedMs)),
    pushedToStored: quantiles(arrived.map(one => one.storedMs - one.createdMs)),
  }
}

/** Of what was recorded since then, the times until the acknowledgement. Throws when there are fewer than `atLeast`. */
function acked(file: string, sinceMs: number, atLeast: number): number[] {
  const { buffer, byteOffset, length } = readFileSync(file)
  const pairs = new Float64Array(buffer.slice(byteOffset, byteOffset + length))
  const times: number[] = []
  for (let at = 0; at < pairs.length; at += 2) {
    const [recordedMs = 0, ackedMs = 0] = pairs.subarray(at, at + 2)
    if (recordedMs >= sinceMs) times.push(ackedMs - recordedMs)
  }
  if (times.length < atLeast) throw new Error(`${times.length} acknowledgements of ${atLeast} events were counted`)
  return times
}

export function quantiles(values: readonly number[]): Quantiles {
  return { p50: quantile(values, 0.5), p99: quantile(values, 0.99), max: quantile(values, 1) }
}

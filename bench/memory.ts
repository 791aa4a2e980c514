/** Resident memory of the emitted program: idle with all feeds live, and after one flood and another. */
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import type { Daemon } from './daemon.ts'
import type { Rig } from './rig.ts'
import { peakBytes, residentBytes } from './usage.ts'

export interface Memory {
  /** Events of each flood. */
  readonly events: number
  readonly idleBytes: number
  /** Five seconds after each. */
  readonly firstBytes: number
  readonly secondBytes: number
  readonly peakBytes: number
}

const SETTLE_MS = 5000

/** One daemon, subscribed to a log class and to 1000 mirrored faults, which takes in two floods of `events` records. */
export async function memory(rig: Rig, entry: string, events: number): Promise<Memory> {
  const stream = rig.stream('MEMORY')
  const daemon = await rig.daemon(stream, ['eventRecord', 'faultInst'], { entry, streamSettings: ['max_bytes: 4GiB'] })
  const idleBytes = await settled(daemon)
  const base = await rig.broker.count(stream)
  const floods: number[] = []
  for (const first of [0, events]) {
    await rig.prepare({ cls: 'eventRecord', count: events, objects: 1000, first })
    await rig.push()
    await rig.broker.holds(stream, base + first + events)
    await daemon.until(status => status.store?.events === 0)
    await rig.source.next('pushed')
    floods.push(await settled(daemon))
  }
  const [firstBytes = Number.NaN, secondBytes = Number.NaN] = floods
  const peak = peakBytes(daemon.pid)
  await rig.broker.judge(stream, 2 * events)
  await daemon.stop()
  await rig.broker.remove(stream)
  return { events, idleBytes, firstBytes, secondBytes, peakBytes: peak }
}

async function settled(daemon: Daemon): Promise<number> {
  await sleep(systemClock, SETTLE_MS)
  return residentBytes(daemon.pid)
}

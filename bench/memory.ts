/** Resident memory: idle with all feeds live, and after a flood. */
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import type { Rig } from './rig.ts'
import { peakBytes, residentBytes } from './usage.ts'

export interface Memory {
  readonly from: string
  readonly events: number
  readonly idleBytes: number
  readonly afterBytes: number
  /** Five seconds later. */
  readonly settledBytes: number
  readonly peakBytes: number
}

const SETTLE_MS = 5000

/** One daemon, subscribed to a log class and to 1000 mirrored faults, which takes in `events` records in a flood. */
export async function memory(rig: Rig, from: string, entry: string, events: number): Promise<Memory> {
  await rig.prepare({ cls: 'eventRecord', count: events, objects: 1000 })
  const stream = rig.stream('MEMORY')
  const daemon = await rig.daemon(stream, ['eventRecord', 'faultInst'], { entry })
  await sleep(systemClock, SETTLE_MS)
  const idleBytes = residentBytes(daemon.pid)
  const base = await rig.broker.count(stream)
  await rig.push()
  await rig.broker.holds(stream, base + events)
  await daemon.until(status => status.store?.events === 0)
  const afterBytes = residentBytes(daemon.pid)
  await rig.source.next('pushed')
  await sleep(systemClock, SETTLE_MS)
  const settledBytes = residentBytes(daemon.pid)
  const peak = peakBytes(daemon.pid)
  await daemon.stop()
  await rig.broker.remove(stream)
  return { from, events, idleBytes, afterBytes, settledBytes, peakBytes: peak }
}

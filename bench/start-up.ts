/** Start-up: from spawn to "ready" and to the first subscription live. */
import { quantile } from './figures.ts'
import type { Rig } from './rig.ts'

export interface StartUp {
  readonly from: string
  readonly times: number
  readonly readyMs: number
  readonly liveMs: number
}

/** Medians over `times` starts with an empty state_dir each. */
export async function startUp(rig: Rig, from: string, entry: string, times: number): Promise<StartUp> {
  const ready: number[] = []
  const live: number[] = []
  for (let turn = 0; turn < times; turn++) {
    const stream = rig.stream('START')
    // At debug the log tells of each feed that goes live.
    const daemon = await rig.daemon(stream, ['eventRecord'], { entry, logLevel: 'debug' })
    ready.push(daemon.readyMs)
    live.push(daemon.liveMs)
    await daemon.stop()
    await rig.broker.remove(stream)
  }
  return { from, times, readyMs: quantile(ready, 0.5), liveMs: quantile(live, 0.5) }
}

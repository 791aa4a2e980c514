/** What the polls of a Cloud Director cost: requests a minute when nothing happens, and rows a second when it catches up. */
import { systemClock } from '../src/scheduler/clock.ts'
import { vcdSubscriber } from '../src/subscribers/vcd/subscriber.ts'
import { type Rig, startRig } from '../test/vcd/rig.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const ROW = { type: 'vm/modify', user: 'alice', org: 'acme' }

export interface QuietPolls {
  readonly rowsPerSecond: number
  readonly perMinute: number
  /** Of the trail, of these only counted, and the rest. */
  readonly pages: number
  readonly counts: number
  readonly others: number
}

export interface VcdPolls {
  readonly quiet: readonly QuietPolls[]
  readonly catchUp: {
    readonly rows: number
    readonly requests: number
    /** By the source's own pace: its clock. */
    readonly pacedRowsPerSecond: number
    /** What it could do without: this machine's clock, the simulator in the same process. */
    readonly rowsPerSecond: number
  }
}

async function reading(rig: Rig): Promise<void> {
  rig.read(vcdSubscriber(rig.config()))
  await rig.drive(() => rig.reported('feed_mode').at(-1)?.mode === 'polling', 'the first walk is over')
}

/** Three hours by the source's clock, of which the last one is counted. */
async function quiet(rowsPerSecond: number): Promise<QuietPolls> {
  const rig = await startRig({ retentionMs: HOUR })
  try {
    await reading(rig)
    const pass = async (ms: number): Promise<void> => {
      const end = rig.clock.wall() + ms
      while (rig.clock.wall() < end) {
        for (let row = 0; row < 10 * rowsPerSecond; row++) rig.simulator.write({ ...ROW, afterMs: row * 100 })
        const next = rig.clock.wall() + 10_000
        while (rig.clock.wall() < next) {
          await rig.drive(() => rig.clock.next !== undefined && rig.clock.next < 25_000 && rig.resting, 'a pause')
          await rig.clock.advance(Math.min(rig.clock.next ?? 0, next - rig.clock.wall()))
        }
      }
    }
    await pass(2 * HOUR)
    const { requests } = rig.simulator.record
    const before = requests.length
    await pass(HOUR)
    const counted = requests.slice(before)
    const perMinute = (wanted: (path: string) => boolean): number =>
      counted.filter(({ path }) => wanted(path)).length / (HOUR / MINUTE)
    const counts = perMinute(path => path.endsWith('pageSize=1'))
    const trail = perMinute(path => path.includes('auditTrail'))
    const all = perMinute(() => true)
    return { rowsPerSecond, perMinute: all, pages: trail - counts, counts, others: all - trail }
  } finally {
    await rig.end()
  }
}

async function catchUp(rows: number): Promise<VcdPolls['catchUp']> {
  const rig = await startRig({ tokenLoginEvents: false })
  try {
    await reading(rig)
    await rig.turns(8)
    await rig.stop()
    const began = rig.clock.wall() + 1000
    for (let row = 0; row < rows; row++) rig.simulator.write({ ...ROW, atMs: began + row * 100 })
    await rig.clock.advance(rows * 100 + MINUTE)
    const { requests } = rig.simulator.record
    const [asked, wall, start] = [requests.length, rig.clock.wall(), systemClock.now()]
    rig.read(vcdSubscriber(rig.config()))
    await rig.drive(() => rig.facts.size >= rows, 'all rows', 600_000)
    if (rig.rows().size !== rows) throw new Error(`${rig.rows().size} of ${rows} rows`)
    return {
      rows,
      requests: requests.length - asked,
      pacedRowsPerSecond: rows / ((rig.clock.wall() - wall) / 1000),
      rowsPerSecond: rows / ((systemClock.now() - start) / 1000),
    }
  } finally {
    await rig.end()
  }
}

export async function vcdPolls(rows: number): Promise<VcdPolls> {
  return { quiet: [await quiet(0), await quiet(2)], catchUp: await catchUp(rows) }
}

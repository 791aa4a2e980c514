/** What is kept of the fault log for the other subscriptions that ask for it within a minute. */
import { describe, expect, it } from 'vitest'
import { apicSchema } from '../../src/config/sources.ts'
import { TUNING } from '../../src/subscribers/apic/core.ts'
import type { ApicAnswer } from '../../src/subscribers/apic/decode.ts'
import { FaultLog } from '../../src/subscribers/apic/fault-history.ts'
import { stampOf } from '../../src/subscribers/apic/log-pages.ts'
import { ManualClock } from '../support/manual-clock.ts'

const PAGE = 2

/** A controller with this log; `asked`: since when, of each question. `onPage` is waited for before each answer. */
function scene(onPage: (clock: ManualClock) => Promise<void> = async () => undefined) {
  const clock = new ManualClock()
  const rows: number[] = []
  const asked: number[] = []
  const get = async (url: string): Promise<ApicAnswer> => {
    const since = Date.parse(/"([^"]+)"/.exec(decodeURIComponent(url))?.[1] ?? '')
    asked.push(since)
    await onPage(clock)
    const objects = rows
      .filter(ms => ms >= since)
      .slice(0, PAGE)
      .map(ms => ({
        cls: 'faultRecord',
        attributes: { dn: `subj-[uni/a/fault-F1]/rec-${ms}`, created: stampOf(ms) },
        children: [],
      }))
    return { objects, totalCount: undefined, subscriptionId: undefined, error: undefined }
  }
  const config = apicSchema.parse({
    name: 'fabric-a',
    kind: 'apic',
    controllers: ['https://apic.example'],
    username: 'admin',
    password: 'x',
    subscriptions: [{ class: 'faultInst' }],
  })
  const tuning = { ...TUNING, pageSize: PAGE }
  const { signal } = new AbortController()
  const core = { clock, config, tuning, signal, client: { get }, fabricNow: () => clock.wall() }
  return { clock, rows, asked, core, log: new FaultLog() }
}

describe('the fault log', () => {
  it('forgets nothing in the midst of a reading that takes longer than it is kept', async () => {
    const { clock, rows, core, log } = scene(one => one.advance(40_000))
    const now = clock.wall()
    rows.push(now - 5000, now - 4000, now - 3000, now - 2000, now - 1000)
    await log.rows(core, now - 1500)
    const { rows: read } = await log.rows(core, now - 10_000)
    expect(read.map(({ createdMs }) => createdMs - now)).toEqual([-5000, -4000, -3000, -2000, -1000])
    log.close()
  })

  it('is kept no longer than a minute, however often it is asked for', async () => {
    const { clock, rows, asked, core, log } = scene()
    const now = clock.wall()
    rows.push(now - 600_000)
    for (let ms = 0; ms <= 90_000; ms += 30_000) {
      await log.rows(core, now - 600_000)
      await clock.advance(30_000)
    }
    // The whole of it, twice what is new, and the whole again.
    expect(asked.map(since => since === now - 600_000)).toEqual([true, false, false, true])
    log.close()
  })
})

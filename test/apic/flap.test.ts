/** A fault that flaps: it is in the same state again within the time by which its log may be off. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const FEED = 'class/faultInst'
const DN = 'topology/pod-1/node-101/sys/a/fault-F1394'

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

const knobs = () => rig.simulator.fabric.knobs
const gaps = () => rig.facts().flatMap(fact => (fact.data.gap === undefined ? [] : [fact.data.gap]))
const questions = (): number => rig.simulator.record.requests.filter(one => /faultRecord.*asc/.test(one.path)).length
const told = (): string[] =>
  rig
    .facts()
    .filter(fact => fact.data.kind === 'fault')
    .map(fact => `${fact.type.split('.').at(-1)} ${fact.severitytext}`)

/** The next step is of a later millisecond: two of one have no order. */
async function apart(): Promise<void> {
  const now = Date.now()
  await until(() => Date.now() > now, 'the next millisecond')
}

async function severity(name: string): Promise<void> {
  rig.simulator.post(DN, { faultInst: { attributes: { severity: name } } })
  await apart()
}

/** One fault, minor. Reconciles come at once. */
async function raised(): Promise<void> {
  rig = await ApicRig.make({ config: { reconcile_interval: '1s' } })
  await rig.live([FEED])
  rig.simulator.post(DN, fault('F1394', { severity: 'minor' }))
  await apart()
}

async function reconciled(times: number): Promise<void> {
  const before = questions()
  await until(() => questions() >= before + times, 'reconciles')
}

/** The log shows the first so many rows. */
function show(most: number): void {
  const rows = [...rig.simulator.fabric.logs.ofClass('faultRecord', Number.POSITIVE_INFINITY)]
  for (const row of rows.slice(0, most)) Object.assign(row, { visibleFrom: 0 })
}

describe('a step of a fault that flaps', () => {
  it.each(['whole', 'lean'] as const)(
    'into a state heard of just before is announced when it is lost (%s rows)',
    async fields => {
      await raised()
      knobs().faultRecordFields = fields
      await severity('critical')
      rig.simulator.mute()
      const fromMs = Date.now()
      await severity('minor')
      const toMs = Date.now()
      rig.simulator.unmute()
      await severity('major')
      const [gap] = await until(() => (gaps().length > 0 ? gaps() : undefined), 'the gap')
      expect(gap).toMatchObject({ feed: FEED, classes: ['faultInst'], reason: 'outage_no_history' })
      expect(Date.parse(gap?.from ?? '')).toBeGreaterThanOrEqual(fromMs)
      expect(Date.parse(gap?.to ?? '')).toBeLessThanOrEqual(toMs)
      await reconciled(2)
      expect(gaps().length).toBe(1)
      expect(told()).toEqual(['raised minor', 'changed critical', 'changed major'])
    },
  )

  it.each(['whole', 'lean'] as const)(
    'into a state that the comparison at the start of a process told is announced when it is lost (%s rows)',
    async fields => {
      await raised()
      await rig.until(all => all.length === 1, 'its beginning')
      await rig.stop()
      knobs().faultRecordFields = fields
      await severity('critical')
      rig.start()
      await rig.live([FEED], 2)
      await rig.until(() => told().length === 2, 'what happened meanwhile')
      await severity('minor')
      rig.simulator.mute()
      await severity('critical')
      rig.simulator.unmute()
      await severity('major')
      await until(() => gaps().length > 0, 'the gap')
      expect(gaps().length).toBe(1)
      expect(told()).toEqual(['raised minor', 'changed critical', 'changed minor', 'changed major'])
    },
  )

  it('is announced when the state that it led into was heard of again just after', async () => {
    await raised()
    rig.simulator.mute()
    const fromMs = Date.now()
    await severity('critical')
    const toMs = Date.now()
    await severity('minor')
    rig.simulator.unmute()
    await severity('critical')
    const [gap] = await until(() => (gaps().length > 0 ? gaps() : undefined), 'the gap')
    expect(Date.parse(gap?.from ?? '')).toBeGreaterThanOrEqual(fromMs)
    expect(Date.parse(gap?.from ?? '')).toBeLessThanOrEqual(toMs)
    // The comparison finds what those steps left in the object (its highest severity).
    await rig.until(all => all.length === 4, 'the comparison')
    expect(told()).toEqual(['raised minor', 'changed critical', 'changed critical'])
  })

  it('before its end is announced, and does not bring it back', async () => {
    await raised()
    rig.simulator.mute()
    await severity('critical')
    rig.simulator.unmute()
    rig.simulator.remove(DN)
    await until(() => gaps().length > 0, 'the gap')
    await reconciled(2)
    expect(told()).toEqual(['raised minor', 'cleared minor'])
    expect(gaps().length).toBe(1)
  })
})

it('a fault that is closed by its end, as its last step was lost, has nothing to announce', async () => {
  await raised()
  rig.simulator.mute()
  rig.simulator.post(DN, { faultInst: { attributes: { severity: 'cleared', lc: 'retaining' } } })
  await apart()
  rig.simulator.unmute()
  rig.simulator.remove(DN)
  await rig.until(all => all.length === 2, 'its end')
  await reconciled(3)
  expect(told()).toEqual(['raised minor', 'cleared minor'])
  expect(gaps()).toEqual([])
})

describe('a log', () => {
  it('that does not show the last state yet does not bring back what is gone', async () => {
    await raised()
    knobs().recordsVisibleAfterMs = 3_600_000
    await severity('critical')
    await severity('minor')
    rig.simulator.remove(DN)
    await rig.until(all => all.length === 4, 'its life')
    show(2)
    await reconciled(3)
    show(4)
    await reconciled(2)
    expect(told()).toEqual(['raised minor', 'changed critical', 'changed minor', 'cleared minor'])
    expect(gaps()).toEqual([])
  })

  it('that has two rows for each step has no news, and nothing to announce', async () => {
    await raised()
    await severity('critical')
    await severity('minor')
    rig.simulator.remove(DN)
    await rig.until(all => all.length === 4, 'its life')
    const { fabric } = rig.simulator
    const rows = [...fabric.logs.ofClass('faultRecord', Number.POSITIVE_INFINITY)]
    for (const { attributes } of rows) {
      const { id: _id, dn: _dn, ...rest } = attributes
      fabric.record('faultRecord', rest)
    }
    await reconciled(3)
    expect(told()).toEqual(['raised minor', 'changed critical', 'changed minor', 'cleared minor'])
    expect(gaps()).toEqual([])
  })
})

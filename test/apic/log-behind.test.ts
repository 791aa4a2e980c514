/** A fault log that is behind the faults: a snapshot shows where steps led to before the log shows the steps. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const FEED = 'class/faultInst'
const DN = 'topology/pod-1/node-101/sys/a/fault-F1394'
const AGAIN = 'topology/pod-1/node-101/sys/b/fault-F1394'

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

/** One fault is known, then nobody is there. */
async function away(options: ApicRigOptions): Promise<void> {
  rig = await ApicRig.make(options)
  await rig.live([FEED])
  rig.simulator.post(DN, fault('F1394', { severity: 'minor' }))
  await rig.until(all => all.length === 1, 'the first step')
  await rig.stop()
}

/** Each at a time of its own: two of one millisecond have no order. */
async function step(attributes: Record<string, string>): Promise<void> {
  rig.simulator.post(DN, { faultInst: { attributes } })
  const now = Date.now()
  await until(() => Date.now() > now, 'the next millisecond')
}

async function back(): Promise<void> {
  const times = rig.feedStates(FEED).filter(state => state === 'live').length
  rig.start()
  await rig.live([FEED], times + 1)
}

/** The log shows all that it has. */
function show(): void {
  const rows = rig.simulator.fabric.logs.ofClass('faultRecord', Number.POSITIVE_INFINITY)
  for (const row of rows) Object.assign(row, { visibleFrom: 0 })
}

const NEVER_MS = 3_600_000
const knobs = () => rig.simulator.fabric.knobs
const told = (): string[] =>
  rig.facts().map(fact => `${fact.type.split('.').at(-1)} ${fact.severitytext} ${fact.origin}`)
const gaps = () => rig.facts().flatMap(fact => (fact.data.gap === undefined ? [] : [fact.data.gap]))
const questions = (): number => rig.simulator.record.requests.filter(one => /faultRecord.*asc/.test(one.path)).length

describe('a fault log that is behind', () => {
  it('is waited for: every step is told, in its order', async () => {
    await away({})
    knobs().recordsVisibleAfterMs = 400
    await step({ severity: 'critical' })
    await step({ severity: 'warning' })
    await back()
    await rig.until(all => all.length >= 3, 'all steps')
    expect(told()).toEqual(['raised minor live', 'changed critical resync', 'changed warning resync'])
  })

  it('is waited for when a fault is gone, too', async () => {
    await away({})
    knobs().recordsVisibleAfterMs = 400
    await step({ lc: 'raised-clearing' })
    await step({ severity: 'cleared', lc: 'retaining' })
    rig.simulator.remove(DN)
    await back()
    await rig.until(all => all.length >= 3, 'all steps')
    expect(told()).toEqual(['raised minor live', 'clearing minor resync', 'cleared minor resync'])
  })

  it('for longer than can be waited for has what it hid announced, once', async () => {
    await away({ config: { reconcile_interval: '1s' }, tuning: { logLagMs: 200 } })
    knobs().recordsVisibleAfterMs = NEVER_MS
    const fromMs = Date.now()
    await step({ severity: 'critical' })
    await step({ severity: 'warning' })
    const toMs = Date.now()
    await back()
    await rig.until(all => all.length >= 2, 'what the snapshot shows')
    show()
    const [gap] = await until(() => (gaps().length > 0 ? gaps() : undefined), 'the gap')
    expect(gap).toMatchObject({ feed: FEED, classes: ['faultInst'], reason: 'outage_no_history' })
    expect(Date.parse(gap?.from ?? '')).toBeGreaterThanOrEqual(fromMs)
    expect(Date.parse(gap?.to ?? '')).toBeLessThanOrEqual(toMs)
    const before = questions()
    await until(() => questions() >= before + 2, 'more reconciles')
    expect(told()).toEqual(['raised minor live', 'changed warning resync', 'gap major live'])
  })

  it('with what an earlier process has told is no news', async () => {
    rig = await ApicRig.make({ config: { reconcile_interval: '1s' } })
    await rig.live([FEED])
    rig.simulator.post(DN, fault('F1394', { severity: 'minor' }))
    knobs().recordsVisibleAfterMs = NEVER_MS
    await step({ severity: 'critical' })
    await step({ severity: 'warning' })
    await rig.until(all => all.length === 3, 'three steps')
    await rig.stop()
    await back()
    show()
    const before = questions()
    await until(() => questions() >= before + 2, 'reconciles')
    expect(told()).toEqual(['raised minor live', 'changed critical live', 'changed warning live'])
  })

  it('of a fault that is gone meanwhile does not bring it back', async () => {
    await away({ config: { reconcile_interval: '1s' }, tuning: { logLagMs: 200 } })
    knobs().recordsVisibleAfterMs = NEVER_MS
    await step({ severity: 'critical' })
    await step({ severity: 'cleared', lc: 'retaining' })
    rig.simulator.remove(DN)
    await back()
    await rig.until(all => all.length >= 2, 'its end')
    show()
    await until(() => gaps().length > 0, 'the gap')
    const before = questions()
    await until(() => questions() >= before + 2, 'more reconciles')
    expect(told()).toEqual(['raised minor live', 'cleared minor resync', 'gap major live'])
  })

  it.each([
    ['soon', 400],
    ['in no time that can be waited for', NEVER_MS],
  ])('shows a fault, and %s that it is gone: its end is told before it comes again', async (_, lateMs) => {
    await away({ tuning: { logLagMs: 1500 } })
    const { simulator } = rig
    simulator.post(AGAIN, fault('F1394', { severity: 'critical' }))
    knobs().recordsVisibleAfterMs = lateMs
    simulator.remove(AGAIN)
    // Half of it before the call is carried out, half after.
    simulator.knobs.latencyOf = { subscribe: 200 }
    const subscribed = simulator.record.subscriptions.length
    const isBack = back()
    await until(() => simulator.record.subscriptions.length > subscribed, 'the snapshot')
    simulator.post(AGAIN, fault('F1394', { severity: 'major', lc: 'soaking' }))
    await isBack
    await rig.until(all => all.some(fact => fact.severitytext === 'major'), 'the fault that came again')
    expect(told()).toEqual([
      'raised minor live',
      'raised critical resync',
      'cleared critical resync',
      'raised major live',
    ])
  })

  it.each([
    ['soon', 400],
    ['in no time that can be waited for', NEVER_MS],
  ])('with an end between two beginnings, shown %s: it is told between them', async (_, lateMs) => {
    await away({ tuning: { logLagMs: 1500 } })
    await step({ lc: 'raised-clearing' })
    const { simulator } = rig
    simulator.post(AGAIN, fault('F1394', { severity: 'critical' }))
    knobs().recordsVisibleAfterMs = lateMs
    simulator.remove(AGAIN)
    knobs().recordsVisibleAfterMs = 0
    const now = Date.now()
    await until(() => Date.now() > now, 'the next millisecond')
    simulator.post(AGAIN, fault('F1394', { severity: 'major', lc: 'soaking' }))
    await back()
    await rig.until(all => all.filter(fact => fact.subject === AGAIN).length >= 3, 'all steps')
    const steps = rig.facts().filter(fact => fact.subject === AGAIN)
    expect(steps.map(fact => `${fact.type} ${fact.severitytext}`)).toEqual([
      'apic.fault.raised critical',
      'apic.fault.cleared critical',
      'apic.fault.raised major',
    ])
  })

  it('with all it has since its first contact, when it was empty, is not taken for purged', async () => {
    rig = await ApicRig.make({})
    await rig.live([FEED])
    knobs().recordsVisibleAfterMs = NEVER_MS
    rig.simulator.post(DN, fault('F1394', { severity: 'minor' }))
    await rig.until(all => all.length === 1, 'the first step')
    rig.simulator.cutSockets()
    await rig.live([FEED], 2)
    expect(told()).toEqual(['raised minor live'])
  })

  it('and dates an end later than the next beginning has them told in their order', async () => {
    await away({})
    knobs().faultRecordDelayMs = 200
    await step({ severity: 'cleared', lc: 'retaining' })
    await step({ severity: 'major', lc: 'raised' })
    rig.simulator.remove(DN)
    await step({ code: 'F1394', severity: 'critical', lc: 'raised' })
    await step({ severity: 'warning' })
    await back()
    await rig.until(all => all.length >= 6, 'all steps')
    expect(told()).toEqual([
      'raised minor live',
      'cleared minor resync',
      'raised major resync',
      'cleared major resync',
      'raised critical resync',
      'changed warning resync',
    ])
  })

  it('and shows it to the next process only: that one announces it, once', async () => {
    await away({ tuning: { logLagMs: 200 } })
    knobs().recordsVisibleAfterMs = NEVER_MS
    await step({ severity: 'critical' })
    await step({ severity: 'warning' })
    await back()
    await rig.until(all => all.length >= 2, 'what the snapshot shows')
    await rig.stop()
    show()
    await back()
    await until(() => gaps().length > 0, 'the gap')
    await rig.stop()
    await back()
    expect(told()).toEqual(['raised minor live', 'changed warning resync', 'gap major live'])
  })
})

/** What an earlier process heard of faults, and what it did not: the next one tells them apart. */
import { afterEach, describe, expect, it } from 'vitest'
import { subscriptionSchema } from '../../src/config/query.ts'
import { ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const FEED = 'class/faultInst'
const DN = 'topology/pod-1/node-101/sys/a/fault-F1394'

let rig: ApicRig

afterEach(async () => {
  await rig.close()
})

const gaps = () => rig.facts().flatMap(fact => (fact.data.gap === undefined ? [] : [fact.data.gap]))
const told = (): string[] => rig.facts().map(fact => `${fact.type.split('.').at(-1)} ${fact.severitytext}`)
const knobs = () => rig.simulator.fabric.knobs

/** Each at a time of its own: two of one millisecond have no order. */
async function step(attributes: Record<string, string>): Promise<void> {
  rig.simulator.post(DN, { faultInst: { attributes } })
  const now = Date.now()
  await until(() => Date.now() > now, 'the next millisecond')
}

/** A source that knows one fault. By its interval nothing is compared within a test. */
async function listening(options: ApicRigOptions = {}): Promise<void> {
  rig = await ApicRig.make(options)
  await rig.live([FEED])
  rig.simulator.post(DN, fault('F1394', { severity: 'minor' }))
  await rig.until(all => all.length === 1, 'the first step')
}

/** Another process, and one after it: what is announced is announced once. */
async function again(): Promise<void> {
  const times = rig.feedStates(FEED).filter(state => state === 'live').length
  await rig.stop()
  rig.start()
  await rig.live([FEED], times + 1)
}

/** Two steps that are not pushed, and one that is: they can't be told in their order any more. */
async function overtaken(): Promise<{ fromMs: number; toMs: number }> {
  const before = rig.facts().length
  const now = Date.now()
  await until(() => Date.now() > now, 'the next millisecond')
  rig.simulator.mute()
  const fromMs = Date.now()
  await step({ severity: 'critical' })
  await step({ severity: 'warning' })
  const toMs = Date.now()
  rig.simulator.unmute()
  await step({ severity: 'major' })
  await rig.until(all => all.length > before, 'the step that is pushed')
  return { fromMs, toMs }
}

describe('steps of a fault that were overtaken shortly before a process ended', () => {
  it('are announced by the next one, and not by the one after it', async () => {
    await listening()
    const { fromMs, toMs } = await overtaken()
    await again()
    await until(() => gaps().length > 0, 'the gap')
    await again()
    expect(gaps()).toMatchObject([{ feed: FEED, classes: ['faultInst'], reason: 'outage_no_history' }])
    const [gap] = gaps()
    expect(Date.parse(gap?.from ?? '')).toBeGreaterThanOrEqual(fromMs)
    expect(Date.parse(gap?.to ?? '')).toBeLessThanOrEqual(toMs)
  })

  it('are announced as well when the fault ended meanwhile, and before that came to be known', async () => {
    await listening()
    await overtaken()
    rig.simulator.remove(DN)
    await rig.until(all => all.at(-1)?.type === 'apic.fault.cleared', 'its end')
    await again()
    await until(() => gaps().length > 0, 'the gap')
    await again()
    expect(gaps().length).toBe(1)
    expect(told()).toEqual(['raised minor', 'changed major', 'cleared major', 'gap major'])
  })

  it('of several faults are announced once', async () => {
    await listening()
    const other = DN.replace('/a/', '/b/')
    rig.simulator.post(other, fault('F1394', { severity: 'minor' }))
    await rig.until(all => all.length === 2, 'another fault')
    rig.simulator.mute()
    for (const severity of ['critical', 'warning']) {
      rig.simulator.post(other, { faultInst: { attributes: { severity } } })
      await step({ severity })
    }
    rig.simulator.unmute()
    rig.simulator.post(other, { faultInst: { attributes: { severity: 'major' } } })
    await step({ severity: 'major' })
    await rig.until(all => all.length === 4, 'the steps that are pushed')
    await again()
    await until(() => gaps().length > 0, 'the gap')
    await again()
    expect(gaps().length).toBe(1)
  })

  it('are announced as well where a feed of faults that is new asks first', async () => {
    await listening()
    await overtaken()
    await rig.stop()
    const other = subscriptionSchema.parse({ class: 'topology/pod-1/node-102/faultInst' })
    Object.assign(rig.config, { subscriptions: [...rig.config.subscriptions, other] })
    const heal = rig.simulator.fail({
      operation: 'subscribe',
      path: /class.faultInst/,
      failure: { kind: 'slow', ms: 1500 },
    })
    rig.start()
    await rig.live([FEED], 2)
    heal()
    await until(() => gaps().some(({ feed }) => feed === FEED), 'the gap')
  })
})

describe('a fault that ended, and came again, though its end was never pushed', () => {
  it.each(['pushed', 'read'])('is told to have ended when its next beginning is %s', async how => {
    await listening()
    rig.simulator.mute()
    rig.simulator.remove(DN)
    if (how === 'pushed') rig.simulator.unmute()
    else knobs().recordsVisibleAfterMs = 3_600_000
    rig.simulator.post(DN, fault('F1394', { severity: 'major', lc: 'soaking' }))
    if (how === 'read') rig.simulator.cutSockets()
    await rig.until(all => all.length === 3, 'its next beginning')
    expect(told()).toEqual(['raised minor', 'cleared minor', 'raised major'])
    await again()
    expect(gaps()).toEqual([])
  })
})

describe('a fault that ended, and came again, of which a later step alone was pushed', () => {
  it('goes on as it was told, and is closed once', async () => {
    await listening()
    rig.simulator.mute()
    rig.simulator.remove(DN)
    rig.simulator.post(DN, fault('F1394', { severity: 'major', lc: 'soaking' }))
    await step({ lc: 'raised' })
    rig.simulator.unmute()
    await step({ severity: 'critical' })
    await rig.until(all => all.length === 2, 'the step that is pushed')
    rig.simulator.mute()
    await step({ severity: 'cleared', lc: 'retaining' })
    await again()
    expect(told()).toEqual(['raised minor', 'changed critical', 'gap major', 'cleared critical'])
  })
})

describe('a step that was told with what steps before it left', () => {
  it('is taken for an older one of the log: what was lost is announced all the same', async () => {
    await listening()
    knobs().faultRecordFields = 'lean'
    await step({ lc: 'soaking' })
    await step({ severity: 'major' })
    await step({ severity: 'minor' })
    rig.simulator.mute()
    const fromMs = Date.now()
    await step({ lc: 'raised' })
    rig.simulator.unmute()
    // Told as it was 3 steps before: all that is pushed of it is its severity. So the gap reaches to it.
    await step({ severity: 'major' })
    const toMs = Date.now()
    await rig.until(all => all.length === 5, 'the steps that are pushed')
    await again()
    const [gap] = await until(() => (gaps().length > 0 ? gaps() : undefined), 'the gap')
    expect(Date.parse(gap?.from ?? '')).toBeGreaterThanOrEqual(fromMs)
    expect(Date.parse(gap?.to ?? '')).toBeLessThanOrEqual(toMs)
    expect(gaps().length).toBe(1)
  })
})

describe('steps of a fault that an earlier process told', () => {
  const LIFE: readonly Record<string, string>[] = [
    { severity: 'critical' },
    { severity: 'cleared', lc: 'retaining' },
    { severity: 'minor', lc: 'raised' },
    { severity: 'cleared', lc: 'retaining' },
  ]

  it.each(['whole', 'lean'] as const)('are no news to the next one, by a %s log', async fields => {
    await listening()
    knobs().faultRecordFields = fields
    for (const state of LIFE) await step(state)
    rig.simulator.remove(DN)
    rig.simulator.post(DN, fault('F1394', { severity: 'minor' }))
    await step({ severity: 'major' })
    await rig.until(all => all.length === 7, 'all steps')
    const before = told()
    await again()
    await again()
    expect(told()).toEqual(before)
  })

  it('are no news where there are so many that not all are kept', async () => {
    await listening()
    for (let n = 0; n < 30; n++) await step({ severity: n % 2 === 0 ? 'critical' : 'minor' })
    await rig.until(all => all.length === 31, 'all steps')
    await again()
    expect(gaps()).toEqual([])
    expect(rig.facts().length).toBe(31)
  })

  it('are no news to the one after it either, though that one kept on', async () => {
    await listening()
    for (let n = 0; n < 30; n++) await step({ severity: n % 2 === 0 ? 'critical' : 'minor' })
    await rig.until(all => all.length === 31, 'all steps')
    await again()
    await step({ severity: 'warning' })
    await rig.until(all => all.length === 32, 'another step')
    await again()
    expect(gaps()).toEqual([])
  })

  it('are not asked for of the time before a store kept them', async () => {
    await listening()
    await overtaken()
    const cursor = rig.store.cursor('fabric-a', FEED) ?? {}
    const { judgedMs: _, ...before } = cursor
    await rig.stop()
    await rig.store.append({ source: 'fabric-a', feed: FEED, events: [], cursor: before, overdraft: true })
    rig.start()
    await rig.live([FEED], 2)
    expect(gaps()).toEqual([])
  })
})

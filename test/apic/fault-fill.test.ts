/** A fault of which only a part is pushed, as its beginning never was: the whole of it is asked for, while it goes on or ends. */
import { afterEach, expect, it } from 'vitest'
import { ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const DN = 'topology/pod-1/node-101/sys/a/fault-F1394'
const OBJECT = /api\/mo\/.*fault-F1394/
const LOG = /class\/faultRecord/

let rig: ApicRig

/** The fabric stamps to the millisecond. */
async function apart(): Promise<void> {
  const stamp = performance.now()
  await until(() => performance.now() > stamp + 5, 'a few ms')
}

async function live(options: ApicRigOptions = {}) {
  rig = await ApicRig.make(options)
  await rig.live(['class/faultInst'])
  return rig.simulator
}

async function unseen(attributes: Record<string, string>): Promise<void> {
  rig.simulator.mute()
  rig.simulator.post(DN, fault('F1394', attributes))
  rig.simulator.unmute()
  await apart()
}

async function step(attributes: Record<string, string>): Promise<void> {
  rig.simulator.post(DN, { faultInst: { attributes } })
  await apart()
}

async function end(): Promise<void> {
  rig.simulator.remove(DN)
  await apart()
}

const questions = (path: RegExp) => rig.simulator.record.requests.filter(one => path.test(one.path))
const isAsked = () => until(() => questions(OBJECT).length > 0, 'the question')
const facts = () => rig.facts().filter(({ data }) => data.kind === 'fault')
const told = () => facts().map(({ type, severitytext }) => `${type.slice('apic.fault.'.length)} ${severitytext}`)

afterEach(async () => {
  await rig.close()
})

it.each(['object', 'fault'] as const)('is told whole, as its log has it (affected names the %s)', async affected => {
  const simulator = await live()
  simulator.fabric.knobs.faultRecordAffected = affected
  await unseen({ severity: 'minor', lc: 'soaking' })
  simulator.fail({ operation: 'query', path: OBJECT, times: 1, failure: { kind: 'slow', ms: 100 } })
  await step({ lc: 'raised' })
  await step({ severity: 'critical' })
  await end()
  await rig.until(all => all.some(fact => fact.type === 'apic.fault.cleared'), 'its end')
  expect(facts().map(fact => `${fact.type} ${fact.severitytext} ${fact.data.state}`)).toEqual([
    'apic.fault.raised minor firing',
    'apic.fault.changed critical firing',
    'apic.fault.cleared critical resolved',
  ])
  for (const { data } of facts()) {
    expect({ code: data.code, cause: data.cause, flags: data.flags }).toEqual({
      code: 'F1394',
      cause: 'interface-physical-down',
      flags: undefined,
    })
    expect(data.raw).toMatchObject({
      faultInst: { attributes: { code: 'F1394', domain: 'infra', origSeverity: 'minor' } },
    })
  }
})

it('is told step by step, though what is found is a later one', async () => {
  const simulator = await live()
  await unseen({ severity: 'minor', lc: 'soaking' })
  simulator.fail({ path: OBJECT, times: 1, failure: { kind: 'slow', ms: 100 } })
  await step({ lc: 'raised' })
  await step({ severity: 'critical' })
  await rig.until(all => all.at(-1)?.severitytext === 'critical', 'the second step')
  expect(told()).toEqual(['raised minor', 'changed critical'])
  expect(facts().map(({ data }) => data.cause)).toEqual(['interface-physical-down', 'interface-physical-down'])
})

it.each([
  ['warning', { severity: 'warning' }],
  ['minor', { ack: 'yes' }],
] as const)('is not taken for the one that came again (%s)', async (raised, pushed) => {
  const simulator = await live()
  await unseen({ severity: 'minor' })
  simulator.fail({ path: OBJECT, times: 1, failure: { kind: 'slow', ms: 300 } })
  await step(pushed)
  await isAsked()
  await end()
  simulator.post(DN, fault('F1394', { severity: 'critical' }))
  await rig.until(all => all.some(one => one.severitytext === 'critical'), 'the second life')
  await step({ severity: 'major' })
  await rig.until(all => all.at(-1)?.severitytext === 'major', 'its step')
  expect(told()).toEqual([`raised ${raised}`, `cleared ${raised}`, 'raised critical', 'changed major'])
  expect(facts()[0]?.data.cause).toBe('interface-physical-down')
})

it('is found before its end is pushed, and is not taken for the one that came again either', async () => {
  const simulator = await live()
  await unseen({ severity: 'minor' })
  simulator.fail({ path: OBJECT, times: 1, failure: { kind: 'slow', ms: 300 } })
  await step({ severity: 'warning' })
  await isAsked()
  simulator.mute()
  await end()
  simulator.post(DN, fault('F1394', { severity: 'critical' }))
  simulator.unmute()
  await rig.until(() => facts().length > 0, 'the first life')
  expect(told()).toEqual(['raised warning'])
})

it('waits in turn, life after life', async () => {
  const simulator = await live()
  await unseen({ severity: 'minor' })
  simulator.fail({ path: OBJECT, times: 1, failure: { kind: 'slow', ms: 300 } })
  await step({ severity: 'warning' })
  await isAsked()
  await end()
  await unseen({ severity: 'critical' })
  await step({ severity: 'major' })
  await end()
  await rig.until(() => told().includes('cleared major'), 'the second end')
  expect(told()).toEqual(['raised warning', 'cleared warning', 'raised major', 'cleared major'])
})

it.each([
  { kind: 'reset', times: 1 },
  { kind: 'html', times: 1 },
  { kind: 'hang' },
  { kind: 'error', status: 403, code: '403', text: 'no right to read this' },
] as const)('is told with its cause, though a question for it fails ($kind)', async ({ ...failure }) => {
  const simulator = await live({ tuning: { fillMs: 1000 } })
  await unseen({ severity: 'minor' })
  simulator.fail({ path: OBJECT, ...('times' in failure ? { times: failure.times } : {}), failure })
  await step({ severity: 'warning' })
  await rig.until(() => facts().length > 0, 'the fault')
  expect(told()).toEqual(['raised warning'])
  expect(facts()[0]?.data.cause).toBe('interface-physical-down')
  expect(facts()[0]?.data.flags).toBeUndefined()
})

it('is told as it was pushed where nothing may be read', async () => {
  const simulator = await live()
  const failure = { kind: 'error', status: 403, code: '403', text: 'no right to read this' } as const
  for (const path of [OBJECT, LOG]) simulator.fail({ path, failure })
  await unseen({ severity: 'minor' })
  await step({ severity: 'warning' })
  await step({ severity: 'major' })
  await rig.until(() => facts().length > 1, 'its steps')
  expect(told()).toEqual(['raised warning', 'changed major'])
  expect(facts().map(({ data }) => [data.code, data.flags])).toEqual([
    ['F1394', ['partial']],
    ['F1394', undefined],
  ])
  expect(questions(OBJECT)).toHaveLength(1)
})

it('keeps no other fault waiting, and itself waits for so long only', async () => {
  const simulator = await live({ tuning: { fillMs: 500 } })
  for (const path of [OBJECT, LOG]) simulator.fail({ path, failure: { kind: 'hang' } })
  await unseen({ severity: 'minor' })
  await step({ severity: 'warning' })
  await isAsked()
  simulator.post(DN.replace('/a/', '/b/'), fault('F1394', { severity: 'critical' }))
  await step({ severity: 'major' })
  await rig.until(() => facts().length === 3, 'both faults')
  expect(told()).toEqual(['raised critical', 'raised warning', 'changed major'])
})

it('is told as it was pushed when more waits than shall be kept', async () => {
  const simulator = await live({ tuning: { fillMs: 60_000 } })
  simulator.fail({ path: OBJECT, failure: { kind: 'hang' } })
  await unseen({ severity: 'minor' })
  await step({ severity: 'warning' })
  await isAsked()
  for (let count = 0; count <= 2000; count++) {
    simulator.post(DN, { faultInst: { attributes: { ack: count % 2 === 0 ? 'yes' : 'no' } } })
  }
  await rig.until(() => facts().length > 2000, 'all of it')
  expect(new Set(told())).toEqual(new Set(['raised warning', 'changed warning']))
})

it('ends when it ended, though its subscription is made anew before it can be asked for', async () => {
  const simulator = await live({ tuning: { subscriptionLifeMs: 900 } })
  await unseen({ severity: 'minor' })
  simulator.fail({ path: OBJECT, times: 1, failure: { kind: 'slow', ms: 3000 } })
  await step({ severity: 'warning' })
  await isAsked()
  await end()
  simulator.mute()
  simulator.post(DN, fault('F1394', { severity: 'critical' }))
  for (const id of simulator.subscriptionIds) simulator.refuseRefresh(id)
  await rig.live(['class/faultInst'], 2)
  simulator.unmute()
  await until(() => questions(OBJECT)[0]?.status !== 0, 'the end of the question')
  await step({ severity: 'major' })
  await rig.until(all => all.at(-1)?.severitytext === 'major', 'its step')
  expect(told()).toEqual(['raised minor', 'changed warning', 'cleared warning', 'raised critical', 'changed major'])
  expect(facts().map(({ data }) => data.cause)).toEqual(Array.from({ length: 5 }, () => 'interface-physical-down'))
})

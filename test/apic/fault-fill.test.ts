/** A fault whose beginning was never pushed, and which is gone before the whole of it can be asked for. */
import { afterEach, expect, it } from 'vitest'
import { ApicRig, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const DN = 'topology/pod-1/node-101/sys/a/fault-F1394'

let rig: ApicRig

/** The fabric stamps to the millisecond. */
async function apart(): Promise<void> {
  const stamp = performance.now()
  await until(() => performance.now() > stamp + 5, 'a few ms')
}

afterEach(async () => {
  await rig.close()
})

it.each(['object', 'fault'] as const)('is told whole, as its log has it (affected names the %s)', async affected => {
  rig = await ApicRig.make()
  const { simulator } = rig
  simulator.fabric.knobs.faultRecordAffected = affected
  await rig.live(['class/faultInst'])
  simulator.mute()
  simulator.post(DN, fault('F1394', { severity: 'minor', lc: 'soaking' }))
  simulator.unmute()
  await apart()
  simulator.fail({ operation: 'query', path: /fault-F1394/, times: 1, failure: { kind: 'slow', ms: 100 } })
  simulator.post(DN, { faultInst: { attributes: { lc: 'raised' } } })
  await apart()
  simulator.post(DN, { faultInst: { attributes: { severity: 'critical' } } })
  await apart()
  simulator.remove(DN)
  const facts = await rig.until(all => all.some(fact => fact.type === 'apic.fault.cleared'), 'its end')
  const told = facts.filter(fact => fact.data.kind === 'fault')
  expect(told.map(fact => `${fact.type} ${fact.severitytext} ${fact.data.state}`)).toEqual([
    'apic.fault.raised minor firing',
    'apic.fault.changed critical firing',
    'apic.fault.cleared critical resolved',
  ])
  for (const { data } of told) {
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

/** Every controller writes its own copy of an audit entry, under another id and dn (reference b23): it is one fact. */
import { afterEach, describe, expect, it } from 'vitest'
import { type ApicSimulator, startApicSimulator } from '../../src/simulators/apic/controller.ts'
import { ApicRig, certificate } from '../support/apic-source.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

const COPIES = 3

let rig: ApicRig
let clock: ManualClock
let others: ApicSimulator[] = []

async function start(): Promise<void> {
  clock = new ManualClock()
  rig = await ApicRig.make({ clock, start: false, config: { subscriptions: [{ class: 'aaaModLR' }] } })
  const options = { time: clock, certificate, loginsPerSecond: Number.POSITIVE_INFINITY, fabric: rig.simulator.fabric }
  for (const nodeId of [2, 3]) others.push(await startApicSimulator({ ...options, nodeId }))
  const controllers = [rig.simulator, ...others].map(one => one.url)
  Object.assign(rig, { config: { ...rig.config, controllers } })
  rig.simulator.fabric.knobs.auditCopies = COPIES
  rig.start()
  await within(clock, 10, () => rig.feedStates('class/aaaModLR').at(-1) === 'live', 'live')
}

/** A change, of which the fabric logs a copy for each controller. */
function change(name: string): void {
  rig.simulator.post('uni', { fvTenant: { attributes: { name } } })
}

/** The same of an entry that belongs to no transaction. */
function changeOutside(affected: string, txId: string): void {
  const created = new Date(clock.wall()).toISOString()
  for (let copy = 0; copy < COPIES; copy++) {
    rig.simulator.emit('aaaModLR', {
      affected,
      created,
      descr: 'imported',
      ind: 'creation',
      severity: 'info',
      txId,
      user: 'alice',
    })
  }
}

const told = (): string[] => rig.facts().map(fact => fact.partitionkey)

afterEach(async () => {
  await rig.stop()
  for (const one of others) await one.close()
  others = []
  await rig.close()
})

describe('one fact of three controllers', () => {
  it('pushed, read again after a cut, and read from the next controller', async () => {
    await start()
    change('one')
    changeOutside('uni/tn-zero', '0')
    changeOutside('uni/tn-none', '')
    await within(clock, 5, () => told().length >= 3, 'what is pushed')
    rig.simulator.cutSockets()
    change('two')
    changeOutside('uni/tn-zero-2', '0')
    await within(clock, 60, () => told().length >= 5, 'what happened behind a cut')
    rig.simulator.goDark()
    change('three')
    changeOutside('uni/tn-none-3', '')
    await within(clock, 120, () => told().length >= 7, 'what the next controller shows')
    await turn(clock, 130)
    // Each copy was in the log under a name of its own, and was shown more than once.
    expect(told()).toEqual([
      ...['uni/tn-one', 'uni/tn-zero', 'uni/tn-none', 'uni/tn-two', 'uni/tn-zero-2', 'uni/tn-three', 'uni/tn-none-3'],
    ])
    expect(rig.facts().map(fact => fact.origin)).toEqual([
      'live',
      'live',
      'live',
      'resync',
      'resync',
      'resync',
      'resync',
    ])
  })
})

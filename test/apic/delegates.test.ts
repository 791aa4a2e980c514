/** One problem, told by a faultInst and by a faultDelegate: it becomes one, and never none. */
import { afterEach, describe, expect, it } from 'vitest'
import type { ManagedObject } from '../../src/record.ts'
import { TwinIndex } from '../../src/subscribers/apic/twins.ts'
import { fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'
import { Beside, type BesideOptions } from './beside.ts'

const AFFECTED = 'uni/epp/fv-[uni/tn-prod/ap-shop/epg-web]/node-101/stpathatt-[eth1/7]/nwissues'
const FAULT = `topology/pod-1/node-101/local/svc-policyelem-id-0/${AFFECTED}/fault-F0467`
const DELEGATE = `uni/tn-prod/ap-shop/epg-web/fd-[${AFFECTED}]-fault-F0467`

const BOTH = [{ class: 'faultInst' }, { class: 'faultDelegate' }, { class: 'fvTenant' }]

let beside: Beside

async function start(options: BesideOptions = {}) {
  beside = await Beside.start({ config: { subscriptions: BOTH }, ...options })
  const { clock, rig } = beside
  return { clock, rig, sim: rig.simulator }
}

const delegated = (attributes: Record<string, string> = {}) => ({
  faultDelegate: { attributes: { affected: AFFECTED, code: 'F0467', severity: 'major', lc: 'raised', ...attributes } },
})
const twin = (attributes: Record<string, string> = {}) => fault('F0467', { delegated: 'yes', ...attributes })
const gone = { faultDelegate: { attributes: { status: 'deleted' } } }
const twinGone = { faultInst: { attributes: { status: 'deleted' } } }

/** What was told of faults, in order: `fault raised`, `delegate cleared`. */
const told = (): string[] =>
  beside.rig
    .facts()
    .filter(({ data }) => data.kind === 'fault')
    .map(({ subject, type }) => `${subject === DELEGATE ? 'delegate' : 'fault'} ${type.slice('apic.fault.'.length)}`)

let marks = 0

/** Resolves when everything that was pushed before is through. */
async function through(): Promise<void> {
  // Of different subscriptions a later one may be committed first, but none waits for two turns of another.
  for (let turns = 0; turns < 2; turns++) {
    const name = `mark-${++marks}`
    beside.rig.simulator.post('uni', { fvTenant: { attributes: { name } } })
    await until(() => beside.told(`uni/tn-${name}`).length > 0, 'the mark')
  }
}

afterEach(async () => {
  await beside.close()
})

describe('a delegate with its twin', () => {
  it('is told by the twin alone, its whole life', async () => {
    const { sim, clock } = await start()
    sim.post(FAULT, twin())
    sim.post(DELEGATE, delegated())
    await through()
    const { faults } = beside.rig.gauges
    expect(faults).toEqual([{ severity: 'major', state: 'firing', count: 1 }])
    for (const step of [
      { severity: 'critical' },
      { lc: 'raised-clearing' },
      { severity: 'cleared', lc: 'retaining' },
    ]) {
      sim.post(FAULT, { faultInst: { attributes: step } })
      sim.post(DELEGATE, { faultDelegate: { attributes: step } })
    }
    sim.post(FAULT, twinGone)
    sim.post(DELEGATE, gone)
    await through()
    await turn(clock, 10)
    expect(told()).toEqual(['fault raised', 'fault changed', 'fault clearing', 'fault cleared'])
  })

  it('waits for a twin that is pushed a little later', async () => {
    const { sim, clock } = await start()
    sim.post(DELEGATE, delegated())
    await through()
    await turn(clock, 2)
    expect(told()).toEqual([])
    sim.post(FAULT, twin())
    await through()
    await turn(clock, 10)
    expect(told()).toEqual(['fault raised'])
  })

  it.each([
    ['faultInst', 'faultDelegate'],
    ['faultDelegate', 'faultInst'],
  ])('is one in a first snapshot: %s, %s', async (first, second) => {
    const { sim, clock } = await start({
      config: { subscriptions: [...[first, second].map(name => ({ class: name, snapshot: 'publish' })), BOTH[2]] },
      before: ({ rig }) => {
        rig.simulator.post(FAULT, twin())
        rig.simulator.post(DELEGATE, delegated())
      },
    })
    await turn(clock, 10)
    expect(told()).toEqual(['fault raised'])
    sim.post(FAULT, { faultInst: { attributes: { severity: 'cleared', lc: 'retaining' } } })
    sim.post(DELEGATE, { faultDelegate: { attributes: { severity: 'cleared', lc: 'retaining' } } })
    await through()
    expect(told()).toEqual(['fault raised', 'fault cleared'])
  })

  it('that nobody was told of at first contact is told by the twin from then on', async () => {
    const { sim, clock } = await start({
      config: { subscriptions: [{ class: 'faultDelegate' }, { class: 'faultInst' }, BOTH[2]] },
      before: ({ rig }) => {
        rig.simulator.post(FAULT, twin())
        rig.simulator.post(DELEGATE, delegated())
      },
    })
    await turn(clock, 10)
    for (const cls of ['faultInst', 'faultDelegate']) {
      const step = { severity: 'critical' }
      sim.post(cls === 'faultInst' ? FAULT : DELEGATE, { [cls]: { attributes: step } })
    }
    await through()
    await turn(clock, 10)
    expect(told()).toEqual(['fault changed'])
  })

  it('is one when both come while nobody listens', async () => {
    const { sim, clock } = await start()
    sim.cutSockets()
    sim.post(DELEGATE, delegated())
    sim.post(FAULT, twin())
    await within(clock, 30, () => beside.isLive && beside.sessions.length === 2, 'live again')
    await turn(clock, 70)
    expect(told()).toEqual(['fault raised'])
  })

  it('is one through the end of a session, and its twin closes it', async () => {
    const { sim, clock } = await start({ simulator: { maximumLifetimeSeconds: 120 } })
    sim.post(FAULT, twin())
    sim.post(DELEGATE, delegated())
    await within(clock, 240, () => beside.sessions.length >= 2 && beside.isLive, 'the next session')
    sim.post(DELEGATE, { faultDelegate: { attributes: { severity: 'cleared', lc: 'retaining' } } })
    sim.post(FAULT, { faultInst: { attributes: { severity: 'cleared', lc: 'retaining' } } })
    await within(clock, 60, () => told().length >= 2, 'the end')
    await turn(clock, 10)
    expect(told()).toEqual(['fault raised', 'fault cleared'])
  })
})

describe('a delegate without a twin', () => {
  it('is told when no twin came, and to its end', async () => {
    const { sim, clock } = await start()
    sim.post(DELEGATE, delegated())
    await within(clock, 6, () => told().length === 1, 'the delegate')
    sim.post(DELEGATE, { faultDelegate: { attributes: { severity: 'cleared', lc: 'retaining' } } })
    await until(() => told().length === 2, 'its end')
    sim.post(DELEGATE, gone)
    await through()
    expect(told()).toEqual(['delegate raised', 'delegate cleared'])
    const alertKeys = new Set(beside.rig.facts().flatMap(({ data }) => data.alertKey ?? []))
    expect(alertKeys).toEqual(new Set([`fabric-a/${DELEGATE}`]))
  })

  it('that changes while it waits is told as it was, and as it is', async () => {
    const { sim } = await start()
    sim.post(DELEGATE, delegated({ severity: 'minor' }))
    sim.post(DELEGATE, { faultDelegate: { attributes: { severity: 'critical' } } })
    await through()
    const facts = beside.rig.facts().filter(({ data }) => data.kind === 'fault')
    expect(facts.map(fact => [fact.type, fact.severitytext])).toEqual([
      ['apic.fault.raised', 'minor'],
      ['apic.fault.changed', 'critical'],
    ])
    expect(facts[1]?.data.changes).toContainEqual({ property: 'severity', old: 'minor', new: 'critical' })
  })

  it('that is gone while it waits was there', async () => {
    const { sim } = await start()
    sim.post(DELEGATE, delegated())
    sim.post(DELEGATE, gone)
    await through()
    expect(told()).toEqual(['delegate raised', 'delegate cleared'])
  })

  it('that was told stays told when a twin comes after all: what was opened is closed', async () => {
    const { sim, clock } = await start()
    sim.post(DELEGATE, delegated())
    await within(clock, 6, () => told().length === 1, 'the delegate')
    sim.post(FAULT, twin())
    for (const [dn, cls] of [
      [FAULT, 'faultInst'],
      [DELEGATE, 'faultDelegate'],
    ] as const) {
      sim.post(dn, { [cls]: { attributes: { severity: 'cleared', lc: 'retaining' } } })
    }
    await through()
    expect(told().toSorted()).toEqual(['delegate cleared', 'delegate raised', 'fault cleared', 'fault raised'])
    // Its next life is the twin's.
    for (const [dn, cls] of [
      [DELEGATE, 'faultDelegate'],
      [FAULT, 'faultInst'],
    ] as const) {
      sim.post(dn, { [cls]: { attributes: { severity: 'major', lc: 'raised' } } })
    }
    await through()
    await turn(clock, 10)
    expect(told().slice(4)).toEqual(['fault raised'])
  })

  it('is told when its twin goes and it stays', async () => {
    const { sim, clock } = await start()
    sim.post(FAULT, twin())
    sim.post(DELEGATE, delegated())
    sim.post(FAULT, twinGone)
    await through()
    expect(told()).toEqual(['fault raised', 'fault cleared'])
    await within(clock, 6, () => told().length === 3, 'the delegate')
    sim.post(DELEGATE, gone)
    await through()
    expect(told()).toEqual(['fault raised', 'fault cleared', 'delegate raised', 'delegate cleared'])
  })

  it('is told at once where no faultInst is subscribed', async () => {
    const { sim } = await start({ config: { subscriptions: [{ class: 'faultDelegate' }, { class: 'fvTenant' }] } })
    sim.post(FAULT, twin())
    sim.post(DELEGATE, delegated())
    await through()
    expect(told()).toEqual(['delegate raised'])
  })

  it('is told when a filter leaves its twin out', async () => {
    const filter = { ge: ['faultInst.severity', 'major'] }
    const { sim, clock } = await start({
      config: { subscriptions: [{ class: 'faultInst', filter }, { class: 'faultDelegate' }, { class: 'fvTenant' }] },
    })
    sim.post(FAULT, twin({ severity: 'minor' }))
    sim.post(DELEGATE, delegated())
    await within(clock, 6, () => told().length === 1, 'the delegate')
    expect(told()).toEqual(['delegate raised'])
  })

  it('that was waiting when the daemon stopped is told by the next', async () => {
    const { sim, clock, rig } = await start()
    sim.post(DELEGATE, delegated())
    await through()
    await rig.stop()
    expect(told()).toEqual([])
    rig.start()
    await within(clock, 90, () => told().length === 1, 'the delegate')
    await turn(clock, 10)
    expect(told()).toEqual(['delegate raised'])
  })

  it('that was waiting when the daemon stopped, and is gone when it starts, is told all the same', async () => {
    const { sim, clock, rig } = await start()
    sim.post(DELEGATE, delegated())
    await through()
    await rig.stop()
    sim.post(DELEGATE, gone)
    rig.start()
    await within(clock, 90, () => told().length === 2, 'the delegate')
    expect(told()).toEqual(['delegate raised', 'delegate cleared'])
  })

  it('that waits when its session is handed over is told by the successor', async () => {
    const { sim, clock } = await start({ simulator: { maximumLifetimeSeconds: 40 } })
    sim.fail({ path: /class\/fvTenant\.json\?.*subscription=yes/, failure: { kind: 'slow', ms: 1500 } })
    const subscribed = () => beside.subscriptions.filter(({ path }) => path.includes('class/faultDelegate.')).length
    await within(clock, 60, () => subscribed() === 2, 'a successor that has subscribed to delegates')
    sim.post(DELEGATE, delegated())
    await within(clock, 30, () => beside.sessions[0]?.endedAt !== undefined, 'the end of the first')
    expect(told()).toEqual([])
    await within(clock, 30, () => told().length === 1, 'the delegate')
    expect(told()).toEqual(['delegate raised'])
  })

  it('waits for a subscription that may show its twin and is still being made', async () => {
    const { sim, clock } = await start()
    sim.cutSockets()
    sim.post(FAULT, twin())
    sim.post(DELEGATE, delegated())
    sim.knobs.latencyOf = { query: 8000, subscribe: 100 }
    await within(clock, 60, () => beside.isLive && beside.sessions.length === 2, 'live again')
    await turn(clock, 70)
    expect(told()).toEqual(['fault raised'])
  })
})

describe('twins', () => {
  const object = (family: string, key: string, attributes: Record<string, string> = {}): ManagedObject => ({
    key,
    family,
    version: 'v',
    attributes,
  })
  const inst = (dn: string) => object('faultInst', dn)

  it.each<[string, string, Record<string, string>, boolean]>([
    ['the end of the name', DELEGATE, { affected: AFFECTED, code: 'F0467' }, true],
    ['the whole name', 'uni/fd-[x]-fault-F0467', { affected: FAULT.slice(0, -12), code: 'F0467' }, true],
    ['only the name of the delegate says it', DELEGATE, {}, true],
    ['another code', DELEGATE, { affected: AFFECTED, code: 'F0468' }, false],
    ['not at a slash', DELEGATE, { affected: AFFECTED.slice(1), code: 'F0467' }, false],
    ['at a slash inside brackets', 'uni/fd-[x]-fault-F0467', { affected: '7]/nwissues', code: 'F0467' }, false],
    ['nothing says it', 'uni/other', {}, false],
  ])('%s', (_, dn, attributes, isOne) => {
    const delegate = object('faultDelegate', dn, attributes)
    // Whichever of them comes first.
    for (const order of [[inst(FAULT), delegate] as const, [delegate, inst(FAULT)] as const]) {
      const all: ManagedObject[] = []
      const index = new TwinIndex(() => all)
      for (const one of order) {
        index.replace(undefined, one)
        all.push(one)
      }
      expect([...index.faultsOf(delegate)]).toEqual(isOne ? [FAULT] : [])
      expect(index.delegatesOf(FAULT)).toEqual(isOne ? [dn] : [])
    }
  })

  it('come and go', () => {
    const all = [inst(FAULT)]
    const index = new TwinIndex(() => all)
    const delegate = object('faultDelegate', DELEGATE, { affected: AFFECTED, code: 'F0467' })
    const moved = object('faultDelegate', DELEGATE, { affected: 'elsewhere', code: 'F0467' })
    index.replace(undefined, delegate)
    index.replace(inst(FAULT), undefined)
    expect([...index.faultsOf(delegate)]).toEqual([])
    index.replace(undefined, inst(FAULT))
    expect([...index.faultsOf(delegate)]).toEqual([FAULT])
    index.replace(delegate, moved)
    expect(index.delegatesOf(FAULT)).toEqual([])
    index.replace(moved, delegate)
    expect(index.delegatesOf(FAULT)).toEqual([DELEGATE])
    index.replace(delegate, undefined)
    expect([...index.faultsOf(delegate), ...index.delegatesOf(FAULT)]).toEqual([])
  })
})

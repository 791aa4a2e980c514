/** A subscription that is made anew while a reconcile of the one before still waits: the newer snapshot counts. */
import { afterEach, describe, expect, it } from 'vitest'
import { aborted } from '../../src/scheduler/clock.ts'
import { Continuity } from '../../src/subscribers/apic/continuity.ts'
import { Hearing } from '../../src/subscribers/apic/hearing.ts'
import { ApicRig } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

const FEED = 'class/fvCEp'
const DN = 'uni/tn-prod/ap-shop/epg-web/cep-00:11:22:33:44:55'

let rig: ApicRig

describe('a reconcile of the older one', () => {
  afterEach(() => rig.close())

  it('tells nothing of what it had found', async () => {
    rig = await ApicRig.make({
      config: { subscriptions: [{ class: 'fvCEp' }], reconcile_interval: '1s' },
      tuning: { subscriptionLifeMs: 900 },
    })
    const { simulator } = rig
    const asked = (): number =>
      simulator.record.requests.filter(one => /class\/fvCEp.json(?!.*subscription)/.test(one.path)).length
    await rig.live([FEED])
    simulator.post(DN, { fvCEp: { attributes: { mac: DN.slice(-17), ip: '192.0.2.9' } } })
    await rig.until(all => all.some(fact => fact.subject === DN), 'the endpoint')
    // As while its leaf is away.
    const text = JSON.stringify({ totalCount: '0', imdata: [] })
    const path = /class\/fvCEp.json(?!.*subscription)/
    simulator.fail({ operation: 'query', path, times: 1, failure: { kind: 'garbage', text } })
    const before = asked()
    await until(() => asked() > before, 'a reconcile')
    for (const id of simulator.subscriptionIds) simulator.refuseRefresh(id)
    await rig.live([FEED], 2)
    const later = asked()
    await until(() => asked() >= later + 3, 'more reconciles')
    const told = rig.facts().filter(fact => fact.subject === DN)
    expect(told.map(({ type, origin }) => `${type} ${origin}`)).toEqual(['apic.fvCEp.created live'])
  })
})

describe('a reconcile after a long pause', () => {
  it('leaves what the pause may have cost to the successor', async () => {
    const session = new AbortController()
    const continuity = new Continuity()
    const core = {
      clock: new ManualClock(),
      signal: session.signal,
      report: () => undefined,
      source: { system: 'apic', name: 'fabric-a' } as const,
      pausedWithin: () => false,
      fabricNow: () => 9000,
      continuity,
    }
    const heed = { heardAll: () => undefined, unheard: () => undefined }
    const hearing = new Hearing(core, { name: FEED, remake: () => undefined }, () => heed)
    hearing.forget()
    continuity.prove(FEED, 8000)
    await hearing.during(() => Promise.resolve(), { fromMs: 2000, reason: 'paused' })
    expect([continuity.knownTo(FEED), continuity.wasSuspected(FEED)]).toEqual([8000, false])
    const under = hearing.during(aborted, { fromMs: 2000, reason: 'paused' })
    hearing.end()
    await under
    expect([continuity.knownTo(FEED), continuity.wasSuspected(FEED)]).toEqual([2000, true])
  })
})

/** The end of a session's life: a successor takes over with nothing lost and nothing told twice. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Change } from '../../src/subscribers/apic/decode.ts'
import { HandOver } from '../../src/subscribers/apic/hand-over.ts'
import { ApicRig, fault } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'
import { turn, within } from '../support/turning.ts'

const DN = 'uni/tn-prod/ap-shop/epg-web/cep-00:11:22:33:44:55'

/** `+` is the coming of an endpoint that has no times of its own, `-` its going, a digit a change of its address. */
function changes(text: string, dn = DN): Change[] {
  return [...text].map(sign => {
    const status = sign === '-' ? 'deleted' : sign === '+' ? 'created' : 'modified'
    return { cls: 'fvCEp', dn, attributes: { dn, status, ...(sign === '-' ? {} : { ip: sign }) }, status }
  })
}

describe('what a successor was pushed and its predecessor had applied', () => {
  it.each([
    ['nothing of it', '', '+-+', '+-+'],
    ['all of it', '+-+', '+-+', ''],
    ['its beginning', '+-', '+-+', '+'],
    ['its beginning, after what came before the successor', '12+-', '+-34', '34'],
    ['more than the successor was pushed', '+-+-', '+-', ''],
    ['more, ending otherwise', '+-+', '+-', ''],
    ['something else altogether', '12', '+-', '+-'],
  ])('is told apart when it is %s', (_, applied, pushed, news) => {
    const handOver = new HandOver()
    handOver.note(changes('-')[0] as Change, 1)
    const end = handOver.listen()
    for (const change of changes(applied)) handOver.note(change, 10)
    for (const change of changes('+-+', 'uni/another')) handOver.note(change, 10)
    const held = changes(pushed).map(change => ({ change }))
    expect(handOver.news(held, 5).map(one => one.change)).toEqual(changes(news))
    // What was applied before it began to listen is not compared.
    expect(handOver.news(held, 11)).toEqual(held)
    end()
    expect(handOver.news(held, 5)).toEqual(held)
  })
})

let rig: ApicRig

describe('a session that reads what it missed while another comes to be live', () => {
  afterEach(() => rig.close())

  it('does not tell again what it was pushed meanwhile', async () => {
    const FEED = 'class/faultInst'
    const dn = 'topology/pod-1/node-101/sys/a/fault-F1394'
    rig = await ApicRig.make({
      config: { subscriptions: [{ class: 'faultInst' }, { class: 'fvTenant' }] },
      tuning: { subscriptionLifeMs: 6000 },
    })
    const { simulator } = rig
    await rig.live([FEED, 'class/fvTenant'])
    simulator.post(dn, fault('F1394'))
    await rig.until(all => all.length === 1, 'the fault')
    // The first session loses its subscription, and is long in asking what it missed.
    const failed = (): number => simulator.record.requests.filter(({ status }) => status === 503).length
    const heal = simulator.fail({ path: /faultRecord.*asc/, failure: { kind: 'html' } })
    const { id = '' } = simulator.record.subscriptions.find(one => /faultInst/.test(one.path)) ?? {}
    simulator.expireSubscription(id)
    await until(() => failed() === 2, 'the questions of the first session')
    heal()
    simulator.remove(dn)
    const now = Date.now()
    await until(() => Date.now() > now, 'the next millisecond')
    simulator.post(dn, fault('F1394'))
    // The second watches faults at once, and tenants later than the first has its answer.
    simulator.fail({ operation: 'subscribe', path: /fvTenant/, failure: { kind: 'slow', ms: 4000 } })
    rig.reload()
    await rig.live([FEED], 2)

    expect(simulator.record.sessions[0]?.endedAt).toBeUndefined()
    await until(() => simulator.record.sessions[0]?.endedAt !== undefined, 'the end of the first session')
    const told = rig.facts().map(fact => `${fact.type} ${fact.subject === dn}`)
    expect(told).toEqual(['raised', 'cleared', 'raised'].map(step => `apic.fault.${step} true`))
  })
})

describe('a feed that another session has come to hear of', () => {
  afterEach(() => rig.close())

  it('is not lost, however long the other session takes with its other feeds', async () => {
    const FEED = 'class/faultInst'
    const clock = new ManualClock()
    rig = await ApicRig.make({
      clock,
      config: { subscriptions: [{ class: 'faultInst' }, { class: 'fvTenant' }] },
    })
    const { simulator } = rig
    const isLive = (feed: string) => rig.feedStates(feed).at(-1) === 'live'
    await within(clock, 10, () => isLive(FEED) && isLive('class/fvTenant'), 'live')
    const failed = (): number => simulator.record.requests.filter(({ status }) => status === 503).length
    const heal = simulator.fail({ path: /faultRecord.*asc/, failure: { kind: 'html' } })
    const { id = '' } = simulator.record.subscriptions.find(one => /faultInst/.test(one.path)) ?? {}
    simulator.expireSubscription(id)
    await within(clock, 40, () => failed() >= 2, 'the questions of the first session')
    heal()
    simulator.fail({ operation: 'subscribe', path: /fvTenant/, failure: { kind: 'slow', ms: 50_000 } })
    rig.reload()
    await within(clock, 100, () => simulator.record.sessions[0]?.endedAt !== undefined, 'the end of the first session')
    const degraded = rig.happenings.flatMap(one => (one.type === 'source_state' && one.state !== 'up' ? [one] : []))
    expect(degraded.map(({ state, reason }) => [state, reason])).toEqual([])
  })
})

describe('a successor that comes too late', () => {
  afterEach(() => rig.close())

  it('says what nobody watched: subscribing took longer than the predecessor lived', async () => {
    const clock = new ManualClock()
    rig = await ApicRig.make({
      clock,
      simulator: { maximumLifetimeSeconds: 40 },
      config: { subscriptions: [{ class: 'fvTenant' }, { class: 'eventRecord' }] },
    })
    const { simulator } = rig
    const said = (): string | undefined => rig.feedStates('class/fvTenant').at(-1)
    await within(clock, 10, () => said() === 'live', 'live')
    simulator.knobs.latencyOf = { subscribe: 28_000 }
    await within(clock, 60, () => simulator.record.sessions[0]?.endedAt !== undefined, 'the end of the first')
    const endedAt = clock.wall()
    simulator.post('uni/tn-ghost', { fvTenant: { attributes: { name: 'ghost' } } })
    simulator.remove('uni/tn-ghost')
    simulator.knobs.latencyOf = {}
    await within(clock, 90, () => rig.facts().some(fact => fact.data.kind === 'gap'), 'the gap')
    const [gap] = rig.facts().flatMap(fact => fact.data.gap ?? [])
    expect(gap).toMatchObject({ feed: 'class/fvTenant', reason: 'outage_no_history' })
    expect(Date.parse(gap?.from ?? '')).toBeLessThanOrEqual(endedAt)
    expect(Date.parse(gap?.to ?? '')).toBeGreaterThanOrEqual(endedAt)
  })
})

describe('a predecessor that was deaf', () => {
  afterEach(() => rig.close())

  it.each([
    { deaf: true, reconcile_interval: '5m', after: 31, keptTwice: 1000 },
    { deaf: false, reconcile_interval: '5m', after: 31, keptTwice: 1000 },
    { deaf: true, reconcile_interval: '1s', after: 25, keptTwice: 1000 },
    { deaf: true, reconcile_interval: '1s', after: 25, keptTwice: 0 },
  ])(
    'leaves a hole when its successor, or itself just before, finds what it was never pushed (deaf: $deaf, reconcile_interval: $reconcile_interval, kept twice: $keptTwice)',
    async options => {
      const { deaf, reconcile_interval, after, keptTwice } = options
      const clock = new ManualClock()
      rig = await ApicRig.make({
        clock,
        tuning: { keptTwice },
        simulator: { maximumLifetimeSeconds: 40 },
        config: { subscriptions: [{ class: 'fvTenant' }], reconcile_interval },
      })
      const { simulator } = rig
      const tenant = (name: string): void => {
        simulator.post(`uni/tn-${name}`, { fvTenant: { attributes: { name } } })
      }
      await within(clock, 10, () => rig.feedStates('class/fvTenant').at(-1) === 'live', 'live')
      await turn(clock, after)
      if (deaf) simulator.silenceSockets()
      const lostMs = clock.wall()
      tenant('brief')
      simulator.remove('uni/tn-brief')
      tenant('stays')
      await within(clock, 10, () => simulator.record.sockets.length === 2, 'the successor')
      await within(clock, 5, () => simulator.record.sessions[0]?.endedAt !== undefined, 'the end of the first')
      await within(clock, 60, () => rig.facts().some(fact => fact.subject === 'uni/tn-stays'), 'the tenant')
      await turn(clock, 3)
      const gaps = rig.facts().flatMap(fact => fact.data.gap ?? [])
      const covering = gaps.filter(gap => Date.parse(gap.from ?? '') <= lostMs && lostMs <= Date.parse(gap.to ?? ''))
      expect([gaps.length, covering.length]).toEqual(deaf ? [1, 1] : [0, 0])
    },
  )
})

describe('three sessions in a row', () => {
  afterEach(() => rig.close())

  it.each([1000, 1])(
    'keep nothing of what was compared once the successor has taken over (kept twice: %i)',
    async keptTwice => {
      let open = 0
      const listen = HandOver.prototype.listen
      const spy = vi.spyOn(HandOver.prototype, 'listen').mockImplementation(function (this: HandOver) {
        const end = listen.call(this)
        let isOver = false
        open++
        return () => {
          if (!isOver) open--
          isOver = true
          end()
        }
      })
      rig = await ApicRig.make({
        tuning: { keptTwice },
        simulator: { maximumLifetimeSeconds: 8 },
        config: { subscriptions: [{ class: 'fvCEp' }, { class: 'fvTenant' }] },
      })
      await rig.live(['class/fvCEp', 'class/fvTenant'])
      await until(() => rig.simulator.record.sessions[0]?.endedAt !== undefined, 'the end of the first')
      await until(() => spy.mock.calls.length > 0 && open === 0, 'all forgotten')
      spy.mockRestore()
    },
  )

  it.each([
    ['both sessions keep all subscriptions', 1000],
    ['each subscription goes when its successor is there', 1],
  ])('tell each coming and going of endpoints without times once, in order, and no gap: %s', async (_, keptTwice) => {
    rig = await ApicRig.make({
      tuning: { keptTwice },
      simulator: { maximumLifetimeSeconds: 10 },
      config: { subscriptions: [{ class: 'fvCEp' }, { class: 'fvTenant' }] },
    })
    const { simulator } = rig
    await rig.live(['class/fvCEp', 'class/fvTenant'])
    const dns = Array.from({ length: 4 }, (_, index) => `uni/tn-prod/ap-shop/epg-web/cep-00:11:22:33:44:0${index}`)
    let rounds = 0
    await until(
      () => {
        for (const dn of dns) {
          simulator.post(dn, { fvCEp: { attributes: { mac: dn.slice(-17), ip: '192.0.2.9', modTs: 'never' } } })
          simulator.remove(dn)
        }
        rounds++
        return simulator.record.sessions.length >= 3
      },
      'two hand-overs',
      40_000,
    )
    const told = rounds * dns.length * 2
    const facts = await rig.until(all => all.filter(one => dns.includes(one.subject)).length >= told, 'every one')
    for (const dn of dns) {
      const life = facts.filter(fact => fact.subject === dn).map(fact => fact.type.slice(11))
      expect(life).toEqual(Array.from({ length: rounds }, () => ['created', 'deleted']).flat())
    }
    // The tenant above them came with the first.
    expect(facts.filter(fact => !dns.includes(fact.subject)).map(fact => fact.type)).toEqual(['apic.fvTenant.created'])
  })
})

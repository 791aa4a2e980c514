/** Subscriptions by tag, while nobody looks: restarts, lost sockets, lost subscriptions, hand-overs, a changed config. */
import { afterEach, describe, expect, it } from 'vitest'
import { type ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'
import { A, B, FEED, TagRig } from './tag-rig.ts'

let tags: TagRig
let rig: ApicRig

async function start(options?: ApicRigOptions): Promise<void> {
  tags = await TagRig.make(options)
  rig = tags.rig
}

/** The tag is followed by what it shows of faults; gives the name of its feed. */
async function startFaults(config: Record<string, unknown> = {}): Promise<string> {
  const subscriptions = [
    { tag: 'production', query_target: 'subtree', target_subtree_class: 'faultInst' },
    { class: 'fvCtx' },
  ]
  await start({ config: { subscriptions, ...config } })
  await tags.tag(A, 'add=production')
  rig.start()
  const isTag = (feed: string): boolean => feed.startsWith('tag/')
  const declared = () =>
    rig.happenings.flatMap(one => (one.type === 'feed_declared' && isTag(one.feed) ? [one.feed] : []))
  const feed = await until(() => declared()[0], 'the tag')
  await rig.live([feed])
  return feed
}

afterEach(async () => {
  await tags.close()
})

describe('what happens while nobody looks', () => {
  it('tags that came and went while the daemon was stopped enter and leave at the next start', async () => {
    await start()
    await tags.tag(A, 'add=production')
    await tags.begin()
    expect(await tags.told()).toEqual([])
    await rig.stop()
    await tags.tag(A, 'remove=production')
    await tags.tag(B, 'add=production')
    await tags.begin()
    await rig.until(all => all.filter(({ type }) => type.includes('fvTenant')).length === 2, 'both')
    expect((await tags.told()).filter(line => line.includes('fvTenant')).toSorted()).toEqual([
      `${A} fvTenant.deleted left-selection`,
      `${B} fvTenant.created`,
    ])
  })

  it('a lost socket: what changed, came and went is told once, with one gap for the tag', async () => {
    await start()
    for (const dn of [A, B]) await tags.tag(dn, 'add=production')
    await tags.begin()
    const { simulator } = rig
    simulator.knobs.refuseSockets = 503
    simulator.cutSockets()
    await until(() => simulator.openSockets === 0, 'the cut')
    tags.tenant('a', { descr: 'one' })
    await tags.tag(B, 'remove=production')
    simulator.knobs.refuseSockets = undefined
    await rig.live([FEED], 2)
    await rig.until(all => all.filter(({ type }) => type.includes('fvTenant')).length === 2, 'both')
    const lines = await tags.told()
    expect(lines.filter(line => line.includes('fvTenant')).toSorted()).toEqual([
      `${A} fvTenant.modified`,
      `${B} fvTenant.deleted left-selection`,
    ])
    expect(rig.facts().filter(({ data }) => data.gap?.feed === FEED)).toHaveLength(1)
  })

  it('faults below what carries the tag that came and went lie in a gap', async () => {
    const feed = await startFaults()
    rig.simulator.post(`${A}/fault-F1`, fault('F1'))
    await rig.until(all => all.length === 1, 'a fault')
    const { simulator } = rig
    simulator.knobs.refuseSockets = 503
    simulator.cutSockets()
    await until(() => simulator.openSockets === 0, 'the cut')
    simulator.post(`${A}/fault-F2`, fault('F2'))
    simulator.remove(`${A}/fault-F2`)
    simulator.knobs.refuseSockets = undefined
    await rig.live([feed], 2)
    const gaps = rig.facts().flatMap(({ data }) => (data.gap?.feed === feed ? [data.gap] : []))
    expect(gaps).toMatchObject([{ feed, classes: ['faultInst'], reason: 'outage_no_history' }])
  })

  it('each step of a fault below it that was overtaken lies in a gap of its own', async () => {
    const feed = await startFaults({ reconcile_interval: '1s' })
    const dn = `${A}/fault-F1`
    const step = async (severity: string): Promise<void> => {
      rig.simulator.post(dn, { faultInst: { attributes: { severity } } })
      const now = Date.now()
      await until(() => Date.now() > now, 'the next millisecond')
    }
    const gaps = () => rig.facts().flatMap(({ data }) => data.gap ?? [])
    rig.simulator.post(dn, fault('F1', { severity: 'minor' }))
    await rig.until(all => all.length === 1, 'a fault')
    for (const [n, lost] of (['critical', 'warning'] as const).entries()) {
      rig.simulator.mute()
      await step(lost)
      rig.simulator.unmute()
      await step(n === 0 ? 'major' : 'minor')
      await until(() => gaps().length > n, `gap ${n + 1}`)
    }
    expect(gaps()).toMatchObject([{ feed }, { feed }])
  })

  it('tags whose pushes never come are found by the next reconcile, and the watch is made anew', async () => {
    await start({ config: { reconcile_interval: '1s' } })
    await tags.tag(A, 'add=production')
    await tags.begin()
    const watch = () => rig.simulator.record.subscriptions.filter(one => one.path.includes('/class/tagInst.'))
    rig.simulator.mute(watch()[0]?.id)
    await tags.tag(B, 'add=production')
    await rig.until(all => all.some(({ subject }) => subject === B), 'the second')
    await until(() => watch().length === 2, 'a new watch')
    await tags.tag(A, 'remove=production')
    await rig.until(all => all.some(({ subject }) => subject === A), 'the first left')
  })

  it('what loses the tag is told, though the daemon stops before it is known whether it is still there', async () => {
    await start()
    for (const dn of [A, B]) await tags.tag(dn, 'add=production')
    await tags.begin()
    const question = /^\/api\/mo\/uni\/tn-[ab]\.json$/
    const heal = rig.simulator.fail({ path: question, failure: { kind: 'hang' } })
    await tags.client.call('DELETE', '/api/tag/production.json')
    await until(() => rig.simulator.record.requests.some(({ path }) => question.test(path)), 'the question')
    await rig.stop()
    heal()
    rig.simulator.remove(B)
    await tags.begin()
    await rig.until(all => all.filter(({ type }) => type.includes('fvTenant')).length === 2, 'both ends')
    expect((await tags.told()).filter(line => line.includes('fvTenant')).toSorted()).toEqual([
      `${A} fvTenant.deleted left-selection`,
      `${B} fvTenant.deleted`,
    ])
  })

  it('a question about what lost the tag that is refused is asked again by the next reconcile', async () => {
    await start({ config: { reconcile_interval: '1s' } })
    await tags.tag(A, 'add=production')
    await tags.begin()
    const failure = { kind: 'error', status: 400, code: '12', text: 'unknown' } as const
    rig.simulator.fail({ path: /^\/api\/mo\/uni\/tn-a\.json$/, failure, times: 1 })
    await tags.tag(A, 'remove=production')
    await tags.toldAs(`${A} fvTenant.deleted left-selection`)
  })

  it('a member whose subscription is lost is made anew alone, and shows as the state of the tag', async () => {
    await start({ simulator: { subscriptionSeconds: 3 }, tuning: { subscriptionLifeMs: 3000 } })
    await tags.tag(A, 'add=production')
    await tags.tag(B, 'add=production')
    await tags.begin()
    const id = rig.simulator.record.subscriptions.find(one => one.path.startsWith(`/api/mo/${A}.`))?.id ?? ''
    rig.simulator.expireSubscription(id)
    tags.tenant('a', { descr: 'meanwhile' })
    await rig.live([FEED], 2)
    expect(rig.feedStates(FEED)).toContain('lost')
    expect([tags.followed(A), tags.followed(B)]).toEqual([2, 1])
    expect((await tags.told()).filter(line => line.includes('fvTenant'))).toEqual([`${A} fvTenant.modified`])
  })
})

describe('a hand-over', () => {
  it('keeps all that carries the tag, and tells nothing twice', async () => {
    await start({ simulator: { refreshTimeoutSeconds: 6, maximumLifetimeSeconds: 8 } })
    await tags.tag(A, 'add=production')
    await tags.begin()
    const sessions = (): number => rig.simulator.record.sessions.filter(one => one.user === 'admin').length
    for (let number = 0; number < 4; number++) {
      await tags.login()
      const seen = sessions()
      tags.tenant('a', { descr: `v${number}` })
      await tags.tag(B, number % 2 === 0 ? 'add=production' : 'remove=production')
      await until(() => sessions() > seen, 'the next session')
    }
    const facts = rig.facts().filter(({ type }) => type.startsWith('apic.fvTenant'))
    expect(new Set(facts.map(({ id }) => id)).size).toBe(facts.length)
    const ofB = facts.filter(({ subject }) => subject === B).map(({ type }) => type.slice(14))
    expect(ofB).toEqual(ofB.map((_, at) => (at % 2 === 0 ? 'created' : 'deleted')))
    expect(facts.filter(({ subject }) => subject === A).map(({ type }) => type.slice(14))).not.toContain('deleted')
    expect(rig.facts().filter(({ data }) => data.gap !== undefined)).toEqual([])
  })
})

describe('a subscription that is taken out of the config', () => {
  it('what only it showed is forgotten; an alert that stands open is closed', async () => {
    await start({ config: { subscriptions: [{ class: 'faultInst' }, { tag: 'production' }, { class: 'fvCtx' }] } })
    await tags.tag(A, 'add=production')
    await tags.begin()
    await rig.live(['class/faultInst'])
    rig.simulator.post(`${A}/fault-F1`, fault('F1'))
    rig.simulator.post(`${B}/fault-F2`, fault('F2', { severity: 'cleared', lc: 'retaining' }))
    await rig.until(all => all.length === 2, 'the faults')
    await rig.stop()
    Object.assign(rig, { config: { ...rig.config, subscriptions: [{ class: 'fvCtx', snapshot: 'mirror' }] } })
    rig.start()
    await rig.live(['class/fvCtx'], 2)
    await rig.until(all => all.some(({ data }) => data.flags?.includes('left-selection') === true), 'the end')
    const mirror = rig.store.mirror('fabric-a')
    await until(
      () => [A, `${A}/fault-F1`, `${B}/fault-F2`].every(dn => mirror.get(dn)?.attributes['status'] === 'deleted'),
      'forgotten',
    )
    const told = rig
      .facts()
      .flatMap(({ type, subject }) => (subject.includes('fault-') ? [`${subject} ${type.slice(11)}`] : []))
    expect(told).toEqual([`${A}/fault-F1 raised`, `${B}/fault-F2 cleared`, `${A}/fault-F1 cleared`])
  })
})

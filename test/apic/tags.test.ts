/** Subscriptions by tag: what carries it is followed, as it comes and goes. Tags are set as the guide prints it. */
import { afterEach, describe, expect, it } from 'vitest'
import { decodeAnswer } from '../../src/subscribers/apic/decode.ts'
import { type ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'
import { A, B, FEED, TagRig } from './tag-rig.ts'

let tags: TagRig
let rig: ApicRig

async function start(options?: ApicRigOptions): Promise<void> {
  tags = await TagRig.make(options)
  rig = tags.rig
}

afterEach(async () => {
  await tags.close()
})

describe('members', () => {
  it('are followed from the start; what gets the tag enters, what loses it leaves', async () => {
    await start()
    await tags.tag(A, 'add=production,orgs')
    await tags.begin()
    tags.tenant('a', { descr: 'one' })
    tags.tenant('b', { descr: 'not yet' })
    await tags.toldAs(`${A} fvTenant.modified`)
    await tags.tag(B, 'add=production')
    await tags.toldAs(`${A} fvTenant.modified`, `${B} fvTenant.created`)
    tags.tenant('b', { descr: 'now' })
    await tags.tag(A, 'remove=production')
    const so = [`${A} fvTenant.modified`, `${B} fvTenant.created`, `${B} fvTenant.modified`]
    await tags.toldAs(...so, `${A} fvTenant.deleted left-selection`)
    tags.tenant('a', { descr: 'no more' })
    tags.tenant('b', { descr: 'still' })
    await tags.toldAs(...so, `${A} fvTenant.deleted left-selection`, `${B} fvTenant.modified`)
    expect(rig.store.mirror('fabric-a').get(A)?.attributes['status']).toBe('deleted')
    expect(rig.simulator.record.subscriptions.some(one => one.path.startsWith('/api/tag/'))).toBe(false)
  })

  it.each(['/api//tag/production.json', '/api/tag/production.xml'])('all leave with DELETE %s', async path => {
    await start()
    await tags.tag(A, 'add=production')
    await tags.tag(B, 'add=production')
    await tags.begin()
    await tags.client.call('DELETE', path)
    await rig.until(all => all.length === 2, 'both left')
    expect((await tags.told()).toSorted()).toEqual([A, B].map(dn => `${dn} fvTenant.deleted left-selection`))
    await tags.tag(A, 'add=production')
    await rig.until(all => all.filter(({ subject }) => subject === A).length === 2, 'one is back')
    expect((await tags.told()).at(-1)).toBe(`${A} fvTenant.created`)
    const ids = rig.facts().map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('an object that is deleted is told as deleted; made again with the tag, as created', async () => {
    await start()
    await tags.tag(A, 'add=production')
    await tags.begin()
    rig.simulator.remove(A)
    await tags.toldAs(`${A} fvTenant.deleted`)
    tags.tenant('a', {})
    await tags.tag(A, 'add=production')
    await tags.toldAs(`${A} fvTenant.deleted`, `${A} fvTenant.created`)
    tags.tenant('a', { descr: 'again' })
    await tags.toldAs(`${A} fvTenant.deleted`, `${A} fvTenant.created`, `${A} fvTenant.modified`)
  })

  it('of a tag that nothing carries there is a live feed; the first that gets it is told', async () => {
    await start({ config: { reconcile_interval: '1s' } })
    await tags.begin()
    const proofs = (): number => rig.happenings.filter(one => one.type === 'feed_proof' && one.feed === FEED).length
    const before = proofs()
    await until(() => proofs() > before + 1, 'proofs of life')
    await tags.tag(A, 'add=production')
    await tags.toldAs(`${A} fvTenant.created`)
  })

  it('what stands below a member is told with query_target, and leaves with it; a tag of another name is nothing', async () => {
    await start({
      config: {
        subscriptions: [
          { tag: 'production', query_target: 'subtree', target_subtree_class: ['fvAp'], snapshot: 'publish' },
          { class: 'fvCtx' },
        ],
      },
    })
    const feed = () => rig.happenings.find(one => one.type === 'feed_declared' && one.feed.startsWith(FEED))
    await tags.tag(A, 'add=production')
    rig.simulator.post(`${A}/ap-x`, { fvAp: { attributes: { name: 'x' } } })
    rig.start()
    await until(() => feed(), 'the feed')
    await rig.live(['class/fvCtx'])
    await tags.toldAs(`${A}/ap-x fvAp.created`)
    await tags.tag(B, 'add=preproduction,production-2')
    rig.simulator.post(`${A}/ap-y`, { fvAp: { attributes: { name: 'y' } } })
    await tags.toldAs(`${A}/ap-x fvAp.created`, `${A}/ap-y fvAp.created`)
    await tags.tag(A, 'remove=production')
    await rig.until(all => all.filter(({ type }) => type === 'apic.fvAp.deleted').length === 2, 'both left')
  })

  it('an alert that only the tag had opened is closed, though its fault goes before it is known what became of the tag', async () => {
    await start({
      config: {
        subscriptions: [
          { class: 'faultInst', filter: { ge: ['faultInst.severity', 'major'] } },
          { tag: 'production', query_target: 'subtree', target_subtree_class: ['faultInst'] },
          { class: 'fvCtx' },
        ],
      },
    })
    await tags.tag(A, 'add=production')
    rig.start()
    const live = (name: string) => () =>
      rig.happenings.some(one => one.type === 'feed_state' && one.feed.startsWith(name) && one.state === 'live')
    for (const name of ['class/faultInst', FEED, 'class/fvCtx']) await until(live(name), name)
    rig.simulator.post(`${A}/fault-F1`, fault('F1', { severity: 'minor' }))
    await tags.toldAs(`${A}/fault-F1 fault.raised`)
    const question = /^\/api\/mo\/uni\/tn-a\.json$/
    const heal = rig.simulator.fail({ path: question, failure: { kind: 'hang' } })
    await tags.tag(A, 'remove=production')
    await until(() => rig.simulator.record.requests.some(({ path }) => question.test(path)), 'the question')
    rig.simulator.remove(`${A}/fault-F1`)
    await tags.toldAs(`${A}/fault-F1 fault.raised`, `${A}/fault-F1 fault.cleared`)
    heal()
  })

  it('what another subscription tells goes on to be told, and is not told as gone', async () => {
    await start({ config: { subscriptions: [{ tag: 'production' }, { class: 'fvTenant' }, { class: 'fvCtx' }] } })
    await tags.tag(A, 'add=production')
    await tags.begin()
    await rig.live(['class/fvTenant'])
    await tags.tag(B, 'add=production')
    await until(() => tags.followed(B) === 1, 'it is followed')
    await tags.tag(A, 'remove=production')
    tags.tenant('a', { descr: 'one' })
    tags.tenant('b', { descr: 'one' })
    await tags.toldAs(`${A} fvTenant.modified`, `${B} fvTenant.modified`)
  })
})

describe('the guide', () => {
  const TAGS = `<imdata>
    <tagInst
         dn="uni/tn-ExampleCorp/tag-tenants" 
         name="tenants" 
    />
    <tagInst
         dn="uni/tn-ExampleCorp/tag-orgs"  
         name="orgs" 
    />
</imdata>`
  const TAGGED = `<imdata>
    <fvTenant
        dn="uni/tn-ExampleCorp" 
        name="ExampleCorp"
    />
</imdata>`
  const tagInst = (name: string) => ({ tagInst: { attributes: { dn: `uni/tn-ExampleCorp/tag-${name}`, name } } })

  it.each([
    ['tag/mo/uni/tn-ExampleCorp', TAGS, [tagInst('tenants'), tagInst('orgs')]],
    ['tag/tenants', TAGGED, [{ fvTenant: { attributes: { dn: 'uni/tn-ExampleCorp', name: 'ExampleCorp' } } }]],
  ])('GET /api/%s: as printed, in both formats, and as the simulator answers it', async (path, xml, json) => {
    await start()
    tags.tenant('ExampleCorp', {})
    expect((await tags.client.post('/api/tag/mo/uni/tn-ExampleCorp.xml?add=tenants,orgs')).status).toBe(200)
    const printed = decodeAnswer(xml).objects
    expect(decodeAnswer(JSON.stringify({ imdata: json })).objects).toEqual(printed)
    for (const format of ['json', 'xml']) {
      const { objects } = decodeAnswer((await tags.client.get(`/api/${path}.${format}`)).text)
      // The guide leaves out what has nothing to do with tags.
      const kept = objects.map(({ cls, attributes: { dn, name } }) => ({ cls, attributes: { dn, name }, children: [] }))
      expect(kept).toEqual(printed)
    }
  })

  it('in XML, tags are followed all the same', async () => {
    await start({ config: { format: 'xml' } })
    await tags.tag(A, 'add=production')
    await tags.begin()
    tags.tenant('a', { descr: 'one' })
    await tags.tag(B, 'add=production')
    await tags.toldAs(`${A} fvTenant.modified`, `${B} fvTenant.created`)
    await tags.tag(A, 'remove=production')
    await rig.until(all => all.some(({ data }) => data.flags?.includes('left-selection') === true), 'it left')
  })
})

describe('what is shown', () => {
  it('one feed for the tag, whatever carries it', async () => {
    await start()
    for (const dn of [A, B]) await tags.tag(dn, 'add=production')
    await tags.begin()
    tags.tenant('a', { descr: 'one' })
    await tags.told()
    const feeds = new Set(rig.happenings.flatMap(one => ('feed' in one ? [one.feed] : [])))
    expect([...feeds].filter(feed => feed !== 'source').toSorted()).toEqual(['canary/aaaModLR', 'class/fvCtx', FEED])
  })

  it('more than can be followed: the rest is counted, and what to do is said; the same ones are followed', async () => {
    await start({ tuning: { mostTagged: 2 } })
    for (const name of ['a', 'b', 'c']) {
      tags.tenant(name, {})
      await tags.tag(`uni/tn-${name}`, 'add=production')
    }
    rig.start()
    const state = await until(
      () => rig.happenings.find(one => one.type === 'feed_state' && one.feed === FEED && one.state === 'disabled'),
      'the state',
    )
    expect(state).toMatchObject({
      code: 'too_large',
      reason: expect.stringMatching(/^3 objects carry it, of which 2 are followed: subscribe/),
    })
    await until(() => tags.followed(A) + tags.followed(B) === 2, 'the others')
    expect(tags.followed('uni/tn-c')).toBe(0)
    await tags.tag(A, 'remove=production')
    await rig.until(all => all.some(({ subject }) => subject === A), 'room')
  })

  it('more than can be followed does not speak against the watch', async () => {
    await start({ tuning: { mostTagged: 2 }, config: { reconcile_interval: '1s' } })
    for (const name of ['a', 'b', 'c']) {
      tags.tenant(name, {})
      await tags.tag(`uni/tn-${name}`, 'add=production')
    }
    rig.start()
    const asked = () =>
      rig.simulator.record.requests.filter(({ path }) => path.startsWith('/api/tag/production')).length
    await until(() => asked() >= 4, 'reconciles')
    const watches = rig.simulator.record.subscriptions.filter(one => one.path.includes('/class/tagInst.'))
    expect(watches).toHaveLength(1)
  })

  it.each(['/api/tag/production', '/api/class/tagInst'])(
    'a release that refuses %s: another way is named',
    async path => {
      await start()
      const failure = { kind: 'error', status: 400, code: '12', text: 'unknown' } as const
      rig.simulator.fail({ path: new RegExp(path), failure })
      rig.start()
      const state = await until(
        () => rig.happenings.find(one => one.type === 'feed_state' && one.feed === FEED && one.state === 'disabled'),
        'the state',
      )
      expect(state).toMatchObject({
        reason: expect.stringContaining('{ class: tagAnnotation, filter: { eq: [tagAnnotation.key, production] } }'),
      })
      await rig.live(['class/fvCtx'])
    },
  )
})

/** Property filters on objects are judged here: what enters is told as created, what leaves as deleted. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const NODE = 'topology/pod-1/node-101/sys'
const DN = `${NODE}/phys-[eth1/7]/phys/fault-F1394`
const TENANT = 'uni/tn-shop'

let rig: ApicRig
let marks = 0

afterEach(async () => {
  await rig.close()
})

async function start(...subscriptions: Record<string, unknown>[]): Promise<void> {
  rig = await ApicRig.make({ config: { subscriptions: [...subscriptions, { class: 'fvCtx' }] } })
  await live()
}

/** Every subscription is live, the last of them for so often. */
async function live(times = 1): Promise<void> {
  await rig.live(['class/fvCtx'], times)
  const declared = new Set(rig.happenings.flatMap(one => (one.type === 'feed_declared' ? [one.feed] : [])))
  const lately = new Set(rig.happenings.slice(-200).flatMap(one => (one.type === 'feed_declared' ? [one.feed] : [])))
  for (const feed of declared) {
    if (lately.has(feed)) await until(() => rig.feedStates(feed).at(-1) === 'live', feed)
  }
}

/** Other filters, from the next start on. */
function configure(...subscriptions: Record<string, unknown>[]): void {
  const { config } = rig
  Object.assign(rig, {
    config: {
      ...config,
      subscriptions: [
        ...subscriptions.map(one => ({ snapshot: 'mirror', ...one })),
        { class: 'fvCtx', snapshot: 'mirror' },
      ],
    },
  })
}

async function mark() {
  const dn = `uni/tn-common/ctx-mark-${++marks}`
  rig.simulator.post(dn, { fvCtx: { attributes: { name: `mark-${marks}` } } })
  return rig.until(all => all.some(fact => fact.subject === dn), 'the mark')
}

/** What was told of a subject by now, in its order. */
async function told(subject: string) {
  await mark()
  // Of different subscriptions a later one may be committed first, but no subscription waits for two turns of another.
  const facts = await mark()
  return facts.filter(fact => fact.subject === subject)
}

const types = async (subject: string) => (await told(subject)).map(({ type }) => type.replace(/^apic\.(fault\.)?/, ''))
const tenant = (attributes: Record<string, string>) =>
  rig.simulator.post(TENANT, { fvTenant: { attributes: { name: 'shop', ...attributes } } })
const raise = (attributes: Record<string, string> = {}) => rig.simulator.post(DN, fault('F1394', attributes))

const WATCHED = { class: 'fvTenant', filter: { eq: ['fvTenant.descr', 'watched'] } }
const MAJOR = { class: 'faultInst', filter: { ge: ['faultInst.severity', 'major'] } }

describe('an object without an alert', () => {
  it('is told while it matches: what lacks the property, too, and no end but its own', async () => {
    await start(WATCHED)
    tenant({ descr: 'none' })
    tenant({ descr: 'watched' })
    tenant({ nameAlias: 'Shop' })
    tenant({ descr: 'none' })
    tenant({ nameAlias: 'Store' })
    rig.simulator.remove(TENANT)
    // The fabric stamps to the millisecond: what comes back within the one of its last change can't be told from a late frame.
    const stamp = Date.now()
    await until(() => Date.now() > stamp, 'the next millisecond')
    tenant({ descr: 'watched' })
    rig.simulator.remove(TENANT)
    const facts = await told(TENANT)
    const now = facts.map(({ type, data }) => `${type.slice(14)} ${data.action} ${data.flags ?? ''}`)
    expect(now).toEqual([
      'created created entered-selection',
      'modified modified ',
      'deleted deleted left-selection',
      'created created ',
      'deleted deleted ',
    ])
    expect(facts[0]?.data.changes).toEqual([{ property: 'descr', old: 'none', new: 'watched' }])
    expect(facts[0]?.data.summary).toBe('Now selected: fvTenant modified: tenant shop: descr none → watched')
    expect(facts[0]?.data.raw).toMatchObject({ fvTenant: { attributes: { name: 'shop', descr: 'watched' } } })
    expect(facts[2]?.data.summary).toBe('No longer selected: fvTenant modified: tenant shop: descr watched → none')
    expect(facts[2]?.data.raw).toMatchObject({ fvTenant: { attributes: { descr: 'none' } } })
    expect(new Set(facts.map(({ id }) => id)).size).toBe(5)
  })

  it('that only housekeeping moves in and out is told', async () => {
    await start({ class: 'fvTenant', filter: { eq: ['fvTenant.monPolDn', 'uni/tn-common/monepg-a'] } })
    const id = rig.simulator.record.subscriptions.find(one => one.path.includes('fvTenant'))?.id
    const push = (status: string, monPolDn: string) => {
      const attributes = { dn: TENANT, monPolDn, status }
      rig.simulator.inject(JSON.stringify({ subscriptionId: [id], imdata: [{ fvTenant: { attributes } }] }))
    }
    push('created', 'x')
    push('modified', 'uni/tn-common/monepg-a')
    push('modified', 'x')
    expect(await types(TENANT)).toEqual(['fvTenant.created', 'fvTenant.deleted'])
  })

  it('a port that goes down and enters by it fires, and is resolved when it leaves', async () => {
    const port = `${NODE}/phys-[eth1/7]/phys`
    await start({ class: 'ethpmPhysIf', filter: { eq: ['ethpmPhysIf.operSt', 'down'] } })
    const be = (operSt: string) => rig.simulator.post(port, { ethpmPhysIf: { attributes: { operSt } } })
    be('up')
    be('down')
    be('up')
    const facts = await told(port)
    expect(
      facts.map(({ type, severitytext, data }) => [type, severitytext, data.state, data.alertKey === null]),
    ).toEqual([
      ['apic.ethpmPhysIf.created', 'major', 'firing', false],
      ['apic.ethpmPhysIf.deleted', 'major', 'resolved', false],
    ])
  })
})

describe('what comes nested in an object that a filter names', () => {
  it('is told while that matches, and enters and leaves with it', async () => {
    const bd = `${TENANT}/BD-net`
    await start({ ...WATCHED, rsp_subtree: 'children', rsp_subtree_class: ['fvBD'] })
    const network = (descr: string) => rig.simulator.post(bd, { fvBD: { attributes: { name: 'net', descr } } })
    tenant({ descr: 'none' })
    network('')
    expect(await types(bd)).toEqual([])
    tenant({ descr: 'watched' })
    network('one')
    expect(await types(bd)).toEqual(['fvBD.created', 'fvBD.modified'])
    tenant({ descr: 'none' })
    network('two')
    expect(await types(bd)).toEqual(['fvBD.created', 'fvBD.modified', 'fvBD.deleted'])
  })
})

describe('a fault', () => {
  it('opens when it enters, and is closed under its own key when it leaves', async () => {
    await start(MAJOR)
    raise({ severity: 'minor' })
    raise({ severity: 'critical' })
    raise({ severity: 'critical', ack: 'yes' })
    raise({ severity: 'minor' })
    raise({ severity: 'minor', ack: 'no' })
    raise({ severity: 'major' })
    rig.simulator.remove(DN)
    const facts = await told(DN)
    expect(facts.map(({ type, severitytext, data }) => `${type.slice(11)} ${severitytext} ${data.state}`)).toEqual([
      'raised critical firing',
      'changed critical firing',
      'cleared critical resolved',
      'raised major firing',
      'cleared major resolved',
    ])
    expect(new Set(facts.map(({ data }) => data.alertKey))).toEqual(new Set([`fabric-a/${DN}`]))
    expect(facts[2]?.data.flags).toContain('left-selection')
    expect(facts[2]?.data.summary).toMatch(/^No longer selected: /)
  })

  it('that the fabric clears is told as cleared, though its severity leaves the filter by that', async () => {
    await start(MAJOR)
    raise()
    raise({ severity: 'cleared', lc: 'retaining' })
    rig.simulator.remove(DN)
    const facts = await told(DN)
    expect(facts.map(({ type, severitytext }) => `${type.slice(11)} ${severitytext}`)).toEqual([
      'raised major',
      'cleared major',
    ])
    expect(facts[1]?.data.flags ?? []).toEqual([])
  })

  it('of two subscriptions is inside while one of them matches', async () => {
    await start(
      {
        mo: 'topology/pod-1',
        query_target: 'subtree',
        target_subtree_class: ['faultInst'],
        filter: { eq: ['faultInst.ack', 'yes'] },
      },
      { class: 'faultInst', filter: { eq: ['faultInst.severity', 'critical'] } },
    )
    raise({ severity: 'minor', ack: 'no' })
    raise({ severity: 'critical', ack: 'no' })
    raise({ severity: 'critical', ack: 'yes' })
    raise({ severity: 'minor', ack: 'yes' })
    raise({ severity: 'minor', ack: 'no' })
    expect(await types(DN)).toEqual(['raised', 'changed', 'changed', 'cleared'])
  })
})

describe('what happens while nobody looks', () => {
  const outages: [string, () => Promise<void>, (before: number) => Promise<void>][] = [
    ['a lost socket', async () => rig.simulator.cutSockets(), before => live(before + 1)],
    [
      'a restart',
      () => rig.stop(),
      async before => {
        rig.start()
        await live(before + 1)
      },
    ],
  ]

  describe.each(outages)('%s', (_, begin, end) => {
    const during = async (what: () => void): Promise<void> => {
      const before = rig.feedStates('class/fvCtx').filter(state => state === 'live').length
      await begin()
      what()
      await end(before)
    }

    it('entering and leaving are told', async () => {
      await start(WATCHED, MAJOR)
      tenant({ descr: 'none' })
      raise()
      expect([await types(TENANT), await types(DN)]).toEqual([[], ['raised']])
      await during(() => {
        tenant({ descr: 'watched' })
        raise({ severity: 'minor' })
      })
      expect([await types(TENANT), await types(DN)]).toEqual([['fvTenant.created'], ['raised', 'cleared']])
      await during(() => {
        tenant({ descr: 'none' })
        raise({ severity: 'critical' })
      })
      expect(await types(TENANT)).toEqual(['fvTenant.created', 'fvTenant.deleted'])
      expect(await types(DN)).toEqual(['raised', 'cleared', 'raised'])
    })

    it('the end of what matched is told, of what did not is not', async () => {
      await start(WATCHED, MAJOR)
      tenant({ descr: 'none' })
      raise()
      expect([await types(TENANT), await types(DN)]).toEqual([[], ['raised']])
      await during(() => {
        rig.simulator.remove(TENANT)
        rig.simulator.remove(DN)
      })
      expect([await types(TENANT), await types(DN)]).toEqual([[], ['raised', 'cleared']])
    })
  })
})

describe('a filter that is changed between two runs', () => {
  it('narrower: what was told and is outside now is closed', async () => {
    await start({ class: 'faultInst' })
    raise({ severity: 'minor' })
    expect(await types(DN)).toEqual(['raised'])
    await rig.stop()
    configure(MAJOR)
    rig.start()
    await live(2)
    expect(await types(DN)).toEqual(['raised', 'cleared'])
    rig.simulator.remove(DN)
    expect(await types(DN)).toEqual(['raised', 'cleared'])
  })

  it('narrower: what was told and went meanwhile is closed', async () => {
    await start({ class: 'faultInst' })
    raise({ severity: 'minor' })
    expect(await types(DN)).toEqual(['raised'])
    await rig.stop()
    configure(MAJOR)
    rig.simulator.remove(DN)
    rig.start()
    await live(2)
    expect(await types(DN)).toEqual(['raised', 'cleared'])
  })

  it.each([
    ['publish', ['raised', 'cleared']],
    ['mirror', ['cleared']],
  ])('wider, with snapshot: %s', async (snapshot, expected) => {
    await start(MAJOR)
    raise({ severity: 'minor' })
    expect(await types(DN)).toEqual([])
    await rig.stop()
    configure({ class: 'faultInst', snapshot })
    rig.start()
    await live(2)
    expect(await types(DN)).toEqual(expected.slice(0, -1))
    rig.simulator.remove(DN)
    expect(await types(DN)).toEqual(expected)
  })
})

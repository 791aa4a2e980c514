/** Faults that came, changed or went while nobody watched: told from faultRecord, each transition once. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, type ApicRigOptions, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const NODE = 'topology/pod-1/node-101/sys'
const DN = `${NODE}/phys-[eth1/7]/phys/fault-F1394`
const FEED = 'class/faultInst'

let rig: ApicRig

async function start(options?: ApicRigOptions): Promise<ApicRig> {
  rig = await ApicRig.make(options)
  await rig.live([FEED])
  return rig
}

afterEach(async () => {
  await rig.close()
})

const change = (dn: string, attributes: Record<string, string>): unknown =>
  rig.simulator.post(dn, { faultInst: { attributes } })
/** From now on the fabric's stamps are later than all before: two of one millisecond have no order. */
async function nextMs(): Promise<void> {
  const now = Date.now()
  await until(() => Date.now() > now, 'the next millisecond')
}
/** What the log writes late is part of the hole: read before it is there, only the next reconcile would find it. */
const logged = (): Promise<boolean> => until(() => rig.simulator.fabric.later === 0, 'the late records')

/** A whole life of a fault: raised, cleared, forgotten. */
async function comeAndGo(dn: string): Promise<void> {
  rig.simulator.post(dn, fault('F1394'))
  await nextMs()
  change(dn, { severity: 'cleared', lc: 'retaining' })
  await nextMs()
  rig.simulator.remove(dn)
  await nextMs()
}

const told = (): string[] =>
  rig
    .facts()
    .filter(fact => fact.data.kind === 'fault')
    .map(fact => `${fact.type.slice(11)} ${fact.severitytext} ${fact.data.state} ${fact.origin}`)

/** Nobody watches while `during` runs: sockets are refused until it is over. `early`: and back before the log has it all. */
async function away(during: () => Promise<void>, early = false): Promise<void> {
  const { simulator } = rig
  simulator.knobs.refuseSockets = 503
  simulator.cutSockets()
  await during()
  if (!early) await logged()
  const times = rig.feedStates(FEED).filter(state => state === 'live').length
  simulator.knobs.refuseSockets = undefined
  await rig.live([FEED], times + 1)
}

describe('a fault in a hole', () => {
  it('that came and went is told, though no snapshot shows it', async () => {
    await start()
    await away(() => comeAndGo(DN))
    await rig.until(all => all.length >= 2, 'its life')
    expect(told()).toEqual(['raised major firing resync', 'cleared major resolved resync'])
    expect(rig.facts().every(fact => fact.subject === DN && fact.time !== undefined)).toBe(true)
  })

  it('that was known is told transition by transition, and the last one whole', async () => {
    await start()
    rig.simulator.post(DN, fault('F1394'))
    await rig.until(all => all.length === 1, 'raised')
    await nextMs()
    await away(async () => {
      change(DN, { lc: 'raised-clearing' })
      await nextMs()
      change(DN, { severity: 'cleared', lc: 'retaining' })
      await nextMs()
      change(DN, { severity: 'critical', lc: 'raised' })
    })
    await rig.until(all => all.length >= 4, 'four transitions')
    expect(told()).toEqual([
      'raised major firing live',
      'clearing major clearing resync',
      'cleared major resolved resync',
      'raised critical firing resync',
    ])
    await away(() => nextMs())
    expect(told().length).toBe(4)
    expect(rig.facts().at(-1)?.data.raw).toMatchObject({ faultInst: { attributes: { domain: 'infra', occur: '2' } } })
  })

  it.each([
    { faultRecordFields: 'whole', faultRecordAffected: 'object', faultRecordDelayMs: 0 },
    { faultRecordFields: 'lean', faultRecordAffected: 'fault', faultRecordDelayMs: 0 },
    { faultRecordFields: 'lean', faultRecordAffected: 'object', faultRecordDelayMs: 20 },
  ] as const)('is told once, however it was told before, and not again after a cut or a restart (%o)', async knobs => {
    await start()
    Object.assign(rig.simulator.fabric.knobs, knobs)
    await comeAndGo(`${NODE}/a/fault-F1394`)
    rig.simulator.post(`${NODE}/b/fault-F1394`, fault('F1394'))
    await rig.until(all => all.length === 3, 'a life and a beginning')
    await away(() => comeAndGo(`${NODE}/c/fault-F1394`))
    await rig.until(all => all.length >= 5, 'a life in the hole')
    await rig.stop()
    await comeAndGo(`${NODE}/d/fault-F1394`)
    await comeAndGo(`${NODE}/a/fault-F1394`)
    await logged()
    rig.start()
    const lived = rig.feedStates(FEED).filter(state => state === 'live').length
    await rig.live([FEED], lived + 1)
    await rig.until(all => all.length >= 9, 'two lives while stopped')
    // Order is promised for each fault, not across them.
    const lives = Map.groupBy(rig.facts(), ({ subject }) => subject.slice(NODE.length + 1, NODE.length + 2))
    const verbs = [...lives].map(([name, facts]) => `${name} ${facts.map(({ type }) => type.slice(11)).join()}`)
    expect(verbs.toSorted()).toEqual([
      'a raised,cleared,raised,cleared',
      'b raised',
      'c raised,cleared',
      'd raised,cleared',
    ])
    expect(new Set(rig.facts().map(fact => fact.id)).size).toBe(9)
  })

  it('whose end the log shows later than the snapshot is told once', async () => {
    await start()
    const { knobs } = rig.simulator.fabric
    await away(async () => {
      rig.simulator.post(DN, fault('F1394'))
      await nextMs()
      knobs.faultRecordDelayMs = 1500
      change(DN, { severity: 'cleared', lc: 'retaining' })
      await nextMs()
      rig.simulator.remove(DN)
      knobs.faultRecordDelayMs = 0
    }, true)
    await rig.until(all => all.length >= 2, 'its life')
    const rows = (): number => [...rig.simulator.fabric.logs.ofClass('faultRecord', Number.POSITIVE_INFINITY)].length
    await until(() => rows() >= 3, 'three rows')
    await away(() => nextMs())
    rig.simulator.post(`${NODE}/z/fault-F1394`, fault('F1394'))
    await rig.until(all => all.some(one => one.subject.includes('/z/')), 'the last')
    expect(told()).toEqual(['raised major firing resync', 'cleared major resolved resync', 'raised major firing live'])
  })

  it('is no news when it ended before the first contact', async () => {
    rig = await ApicRig.make({ start: false })
    await comeAndGo(DN)
    rig.start()
    await rig.live([FEED])
    await away(() => nextMs())
    expect(rig.facts()).toEqual([])
  })

  it('is found by a reconcile when its pushes never came', async () => {
    await start({ config: { subscriptions: [{ class: 'faultInst' }], reconcile_interval: '1s' } })
    for (const id of rig.simulator.subscriptionIds) rig.simulator.mute(id)
    await comeAndGo(DN)
    await rig.until(all => all.length >= 2, 'its life')
    expect(told()).toEqual(['raised major firing resync', 'cleared major resolved resync'])
  })

  it('is told to each subscription that shows it, once', async () => {
    await start({
      config: {
        subscriptions: [
          { class: 'faultInst' },
          { mo: NODE, query_target: 'subtree', target_subtree_class: ['faultInst'] },
        ],
      },
    })
    await away(() => comeAndGo(DN))
    await rig.until(all => all.length >= 2, 'its life')
    await away(() => nextMs())
    expect(told()).toEqual(['raised major firing resync', 'cleared major resolved resync'])
    const reads = rig.simulator.record.requests.filter(one => one.path.includes('class/faultRecord'))
    expect(reads.length).toBeGreaterThan(0)
  })

  it('stays unknown without the right to read its log, and that is said', async () => {
    await start()
    rig.simulator.fail({
      operation: 'query',
      path: /faultRecord/,
      failure: { kind: 'error', status: 403, code: '403', text: 'user has no right to read this' },
    })
    await away(() => comeAndGo(DN))
    const [gap, ...more] = await rig.until(all => all.length > 0, 'the gap')
    expect(more).toEqual([])
    expect(gap?.data.gap).toMatchObject({ feed: FEED, classes: ['faultInst'], reason: 'outage_no_history' })
    expect(rig.happenings.some(one => one.type === 'advice' && one.text.includes('faultRecord'))).toBe(true)
  })

  it('whose log was emptied meanwhile is a gap: it had records, and not of so late ones only', async () => {
    await start()
    await comeAndGo(`${NODE}/a/fault-F1394`)
    await rig.until(all => all.length === 2, 'a life')
    await away(() => nextMs())
    await away(async () => {
      await comeAndGo(`${NODE}/b/fault-F1394`)
      rig.simulator.fabric.logs.purge('faultRecord', 100)
    })
    await away(() => nextMs())
    const [gap] = rig.facts().flatMap(fact => fact.data.gap ?? [])
    expect(gap).toMatchObject({ feed: FEED, classes: ['faultRecord'], reason: 'history_purged' })
  })

  it('of a log that could not be read until now is a gap', async () => {
    rig = await ApicRig.make({ start: false })
    const heal = rig.simulator.fail({
      operation: 'query',
      path: /faultRecord/,
      failure: { kind: 'error', status: 403, code: '403', text: 'user has no right to read this' },
    })
    rig.start()
    await rig.live([FEED])
    heal()
    await away(() => comeAndGo(DN))
    const [gap] = await rig.until(all => all.length > 0, 'the gap')
    expect(gap?.data.gap).toMatchObject({ feed: FEED, classes: ['faultInst'], reason: 'outage_no_history' })
  })

  it('whose records were purged meanwhile is a gap, with its bounds', async () => {
    await start()
    await comeAndGo(`${NODE}/a/fault-F1394`)
    await rig.until(all => all.length === 2, 'a life')
    await away(() => nextMs())
    const before = Date.now()
    await away(async () => {
      rig.simulator.fabric.logs.setLimit('faultRecord', 6, 3)
      for (let index = 0; index < 8; index++) await comeAndGo(`${NODE}/x-${index}/fault-F1394`)
    })
    const facts = await rig.until(all => all.some(fact => fact.data.kind === 'gap'), 'the gap')
    const gaps = facts.flatMap(fact => fact.data.gap ?? [])
    expect(gaps).toMatchObject([{ feed: FEED, classes: ['faultRecord'], reason: 'history_purged' }])
    expect(Date.parse(gaps[0]?.from ?? '')).toBeLessThanOrEqual(before)
    expect(Date.parse(gaps[0]?.to ?? '')).toBeGreaterThan(before)
    await rig.until(() => told().length > 2, 'what the ring still held')
  })
})

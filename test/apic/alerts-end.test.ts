/** Whatever happens to faults, their twins, a tag, the sockets and the daemon: each alert that was opened is closed, and nothing is told twice. */
import { afterEach, describe, expect, it } from 'vitest'
import { ApicRig, fault } from '../support/apic-source.ts'
import { until } from '../support/manual-clock.ts'

const OWNERS = ['topology/pod-1/node-101/sys/phys-[eth1/1]/phys', 'topology/pod-1/node-102/sys', 'uni/tn-a'] as const
const CODES = ['F0001', 'F0002'] as const
const TAG = 'uni/tn-a/tag-production'
const SUBSCRIPTIONS = [
  { class: 'faultInst', filter: { ge: ['faultInst.severity', 'major'] } },
  {
    mo: 'topology/pod-1/node-101',
    query_target: 'subtree',
    target_subtree_class: ['faultInst'],
    filter: { eq: ['faultInst.code', 'F0002'] },
  },
  { class: 'faultDelegate' },
  { tag: 'production', query_target: 'subtree', target_subtree_class: ['faultInst'] },
  { class: 'fvCtx' },
]

/** Numbers from 0 to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed * 7919
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    return state / 2_147_483_648
  }
}

let rig: ApicRig
let marks = 0

afterEach(() => rig.close())

/** Each subscription of the newest session is live. */
async function live(): Promise<void> {
  const states = (): Map<string, string> => {
    const found = new Map<string, string>()
    for (const one of rig.happenings) {
      if (one.type === 'feed_declared') found.set(one.feed, 'declared')
      if (one.type === 'feed_state') found.set(one.feed, one.state)
    }
    return found
  }
  await until(
    () => states().size > SUBSCRIPTIONS.length && [...states().values()].every(one => one === 'live'),
    'all live',
  )
}

/** What was pushed before is through. */
async function through(): Promise<void> {
  const dn = `uni/tn-common/ctx-mark-${++marks}`
  rig.simulator.post(dn, { fvCtx: { attributes: { name: dn.slice(18) } } })
  await rig.until(all => all.some(({ subject }) => subject === dn), 'the mark')
}

/** Alerts that stand open by what was told. */
function open(): string[] {
  const found = new Set<string>()
  for (const { data } of rig.facts()) {
    if (data.kind !== 'fault' || data.alertKey === null) continue
    if (data.state === 'resolved') found.delete(data.alertKey)
    else found.add(data.alertKey)
  }
  return [...found]
}

describe('alerts', () => {
  it.each([8, 9, 12, 16])('all end, story %i', async seed => {
    const random = seeded(seed)
    const pick = <T>(from: readonly [T, ...T[]]): T => from[Math.floor(random() * from.length)] ?? from[0]
    rig = await ApicRig.make({
      simulator: { maximumLifetimeSeconds: seed % 2 === 0 ? 3600 : 8 },
      config: { reconcile_interval: '1s', subscriptions: SUBSCRIPTIONS },
    })
    const sim = rig.simulator
    await live()
    sim.post('uni', { fvTenant: { attributes: { name: 'a' } } })
    const there = new Set<string>()
    const set = (dn: string, whole: object, change: object): void => {
      sim.post(dn, there.has(dn) ? change : whole)
      there.add(dn)
    }
    const remove = (dn: string): void => {
      if (there.delete(dn)) sim.remove(dn)
    }
    const steps: ((owner: string, code: string) => unknown)[] = [
      (owner, code) => {
        const attributes = {
          severity: pick(['critical', 'major', 'minor', 'warning']),
          lc: pick(['soaking', 'raised', 'raised-clearing']),
        }
        set(`${owner}/fault-${code}`, fault(code, attributes), { faultInst: { attributes } })
      },
      (owner, code) => {
        const attributes = { severity: 'cleared', lc: 'retaining' }
        if (there.has(`${owner}/fault-${code}`)) sim.post(`${owner}/fault-${code}`, { faultInst: { attributes } })
      },
      (owner, code) => remove(`${owner}/fault-${code}`),
      (owner, code) => {
        const attributes = pick([
          { severity: 'major', lc: 'raised' },
          { severity: 'cleared', lc: 'retaining' },
        ])
        const whole = { affected: owner, code, severity: 'major', lc: 'raised' }
        const bodies = [whole, attributes].map(one => ({ faultDelegate: { attributes: one } }))
        set(`uni/tn-z/fd-[${owner}]-fault-${code}`, bodies[0] ?? {}, bodies[1] ?? {})
      },
      (owner, code) => remove(`uni/tn-z/fd-[${owner}]-fault-${code}`),
      () => (there.has(TAG) ? remove(TAG) : set(TAG, { tagInst: { attributes: { name: 'production' } } }, {})),
      () => through(),
      () => sim.cutSockets(),
      async () => {
        await rig.stop()
        remove(pick([TAG, ...there]))
        rig.start()
      },
      () => {
        const [id, ...more] = sim.subscriptionIds
        if (id !== undefined) sim.expireSubscription(pick([id, ...more]))
      },
    ]
    const weighed = [...steps, ...steps.slice(0, 7), ...steps.slice(0, 2)]
    for (let step = 0; step < 80; step++) {
      await weighed[Math.floor(random() * weighed.length)]?.(pick(OWNERS), pick(CODES))
    }
    for (const dn of [...there]) remove(dn)
    await live()
    await through()
    await until(() => open().length === 0, 'an end of each')
    const ids = rig.facts().map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(rig.facts().filter(({ data }) => data.kind === 'fault').length).toBeGreaterThan(5)
  })
})

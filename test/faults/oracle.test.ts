/** The judge himself: he must see each kind of wrong, or the runs would show nothing. */
import { describe, expect, it } from 'vitest'
import { type GapData, gapFact, type OpsEvent } from '../../src/event.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { Fabric } from '../../src/simulators/apic/fabric.ts'
import { CLASSES, covers, gapsOf, judge, type Missing, obligationsOf } from './oracle.ts'
import { Workload } from './workload.ts'

const DN = 'topology/pod-1/node-101/sys/phys-[eth1/1]/phys/fault-F1394'

/** What opswire would tell of a step of a fault. */
function told(
  type: string,
  severity: OpsEvent['severitytext'],
  state: OpsEvent['data']['state'],
  at?: number,
): OpsEvent {
  return {
    ...shell('faultInst', { dn: DN, severity: state === 'resolved' ? 'cleared' : severity }),
    type: `apic.fault.${type}`,
    subject: DN,
    severitytext: severity,
    ...(at === undefined ? {} : { time: new Date(at).toISOString() }),
    data: {
      ...shell('faultInst', { dn: DN, severity: state === 'resolved' ? 'cleared' : severity }).data,
      kind: 'fault',
      state,
    },
  }
}

function shell(cls: string, attributes: Record<string, string>): OpsEvent {
  const gap: GapData = { feed: `class/${cls}`, classes: [cls], from: null, to: null, reason: 'paused', recovered: 0 }
  const fact = gapFact({ system: 'apic', name: 'fabric-a' }, gap)
  const { gap: _gap, ...data } = fact.data
  return {
    ...fact,
    recordedtime: '2026-02-03T04:05:06.789Z',
    data: { ...data, kind: 'event', raw: { [cls]: { attributes } } },
  }
}

function fabricWith(deeds: (fabric: Fabric) => void): Fabric {
  const fabric = new Fabric({ time: systemClock })
  deeds(fabric)
  fabric.close()
  return fabric
}

const step = (fabric: Fabric, attributes: Record<string, string>): void => {
  fabric.post(DN, { className: 'faultInst', attributes, children: [] })
}

/** Raised, changed, over, raised again, gone. */
const life = fabricWith(fabric => {
  step(fabric, { code: 'F1394', severity: 'minor', lc: 'soaking' })
  step(fabric, { lc: 'raised' })
  step(fabric, { severity: 'major' })
  step(fabric, { lc: 'raised-clearing' })
  step(fabric, { severity: 'cleared', lc: 'retaining' })
  fabric.remove(DN)
  step(fabric, { code: 'F1394', severity: 'warning', lc: 'raised' })
  fabric.remove(DN)
})
const TELLING: readonly OpsEvent[] = [
  told('raised', 'minor', 'pending'),
  told('raised', 'minor', 'firing'),
  told('changed', 'major', 'firing'),
  told('clearing', 'major', 'clearing'),
  told('cleared', 'major', 'resolved'),
  told('raised', 'warning', 'firing'),
  told('cleared', 'warning', 'resolved'),
]

describe('of faults, the judge', () => {
  const due = obligationsOf(life.changes)

  it('asks for each step, and not for the deletion of what was over', () => {
    expect(due.map(one => one.step)).toEqual([
      'raised minor pending',
      'raised minor firing',
      'changed major firing',
      'clearing major clearing',
      'cleared major resolved',
      'raised warning firing',
      'cleared warning resolved',
    ])
    expect(judge(due, TELLING).faultInst).toEqual({ made: 7, found: 7, missing: [], doubled: [], invented: [] })
  })

  it('sees what is missing', () => {
    const { missing, found } = judge(due, TELLING.toSpliced(2, 1)).faultInst
    expect(missing.map(one => one.step)).toEqual(['changed major firing'])
    expect(found).toBe(6)
  })

  it('sees what is doubled', () => {
    const twice = TELLING.toSpliced(3, 0, told('clearing', 'major', 'clearing'))
    const { missing, doubled, invented } = judge(due, twice).faultInst
    expect([missing, invented]).toEqual([[], []])
    expect(doubled.map(line => line.slice(DN.length + 2, DN.length + 25))).toEqual(['clearing major clearing'])
  })

  it('sees what never happened, and what is told out of order', () => {
    const never = TELLING.toSpliced(3, 0, told('changed', 'critical', 'firing'))
    expect(judge(due, never).faultInst.invented.length).toBe(1)
    const [first, second, ...rest] = TELLING
    const swapped = [second, first, ...rest].filter(event => event !== undefined)
    const { missing, invented } = judge(due, swapped).faultInst
    expect([missing.length, invented.length]).toEqual([1, 1])
  })

  it('goes by the times where the same step comes again', () => {
    const flap = ['firing major', 'resolved', 'firing major', 'resolved'].map((state, index) => ({
      cls: 'faultInst' as const,
      key: DN,
      step: state,
      state,
      at: 1000 * index,
    }))
    const second = [told('raised', 'major', 'firing', 2000), told('cleared', 'major', 'resolved', 3000)]
    const { missing } = judge(flap, second, 'state').faultInst
    expect(missing.map(one => [one.at, one.before?.at])).toEqual([
      [0, undefined],
      [1000, 0],
    ])
  })

  it('counts the steps before a time as known, not as due', () => {
    expect(
      obligationsOf(
        life.changes,
        life.changes.findIndex(({ change }) => change.attributes['lc'] === 'retaining'),
      ).map(one => one.step),
    ).toEqual(['cleared major resolved', 'raised warning firing', 'cleared warning resolved'])
  })
})

describe('of logs, the judge', () => {
  const fabric = fabricWith(one => {
    one.knobs.auditCopies = 3
    one.record('eventRecord', { affected: 'topology', descr: 'first' })
    one.record('eventRecord', { affected: 'topology', descr: 'second' })
    one.post('uni/tn-red', { className: 'fvTenant', attributes: {}, children: [] })
  })
  const due = obligationsOf(fabric.changes)
  const records = fabric.changes.filter(({ change }) => change.className !== 'fvTenant')
  const stream = records.map(({ change }) => shell(change.className, change.whole))

  it('asks for each event, and once for what each controller logs for itself', () => {
    expect(due.map(one => one.cls)).toEqual(['eventRecord', 'eventRecord', 'aaaModLR'])
    const once = judge(due, stream.slice(0, 3))
    expect(CLASSES.map(cls => once[cls].missing.length + once[cls].doubled.length)).toEqual([0, 0, 0])
  })

  it('sees what is missing, doubled, and not of this fabric', () => {
    expect(judge(due, stream.slice(1, 3)).eventRecord.missing.map(one => one.key)).toEqual([due[0]?.key])
    // Told once for each controller: the ids differ, the change is the same.
    expect(judge(due, stream).aaaModLR.doubled.length).toBe(1)
    const foreign = shell('eventRecord', { dn: 'subj-[topology]/rec-1' })
    expect(judge(due, [...stream.slice(0, 3), foreign]).eventRecord.invented).toEqual(['subj-[topology]/rec-1'])
  })
})

describe('a gap event', () => {
  const lost: Missing = { cls: 'eventRecord', key: 'a', step: '', state: '', at: 10_000, told: '' }
  const gap = (feed: string, fromMs: number, toMs: number): GapData => ({
    feed,
    classes: ['eventRecord'],
    from: new Date(fromMs).toISOString(),
    to: new Date(toMs).toISOString(),
    reason: 'history_purged',
    recovered: 0,
  })

  it('covers what is of its class and within its time', () => {
    expect(covers(gap('class/eventRecord', 5000, 15_000), lost)).toBe(true)
    expect(covers(gap('class/eventRecord', 5000, 9000), lost)).toBe(false)
    expect(covers(gap('class/eventRecord', 11_000, 15_000), lost)).toBe(false)
    expect(covers(gap('class/aaaModLR', 5000, 15_000), lost)).toBe(false)
  })

  it('is found in the stream', () => {
    const told = gap('class/eventRecord', 5000, 15_000)
    const event = { ...gapFact({ system: 'apic', name: 'fabric-a' }, told), recordedtime: '2026-02-03T04:05:06.789Z' }
    expect(gapsOf([event])).toEqual([told])
  })
})

describe('the work', () => {
  it('makes all that a fault can do, and the same each time', () => {
    const made = (): string[] => {
      const fabric = new Fabric({ time: systemClock })
      const workload = new Workload({ fabric, clock: systemClock, intervalMs: 10 })
      while (workload.ticks < 260) workload.tick()
      fabric.close()
      return obligationsOf(fabric.changes).map(one => `${one.cls} ${one.step}`)
    }
    const all = made()
    expect(made()).toEqual(all)
    for (const cls of CLASSES) expect(all.filter(one => one.startsWith(cls)).length, cls).toBeGreaterThanOrEqual(200)
    for (const verb of ['raised', 'changed', 'clearing', 'cleared']) {
      expect(
        all.some(one => one.startsWith(`faultInst ${verb}`)),
        verb,
      ).toBe(true)
    }
  })
})

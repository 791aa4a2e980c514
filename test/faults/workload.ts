/** What a busy fabric does: events, policy changes and faults at a steady pace, whatever happens to who listens. */
import type { Cancel, Clock } from '../../src/scheduler/clock.ts'
import type { Fabric } from '../../src/simulators/apic/fabric.ts'

type Step = Readonly<Record<string, string>> | 'delete'

const raised = (severity: string, lc: string): Step => ({ severity, lc })
const RETAINED: Step = { severity: 'cleared', lc: 'retaining' }

/** Lives of a fault, one step at a time. Short ones come and go within a hole; long ones reach into it and out of it. */
const LIVES: readonly (readonly Step[])[] = [
  [
    raised('minor', 'soaking'),
    { lc: 'raised' },
    { severity: 'major' },
    { severity: 'critical' },
    { lc: 'raised-clearing' },
    RETAINED,
    'delete',
  ],
  [raised('warning', 'soaking'), 'delete'],
  [raised('major', 'raised'), RETAINED, raised('major', 'raised'), RETAINED, 'delete'],
  [raised('critical', 'raised'), 'delete', raised('major', 'soaking'), { lc: 'raised' }, RETAINED, 'delete'],
  [raised('minor', 'soaking'), { lc: 'soaking-clearing' }, RETAINED, 'delete'],
  // One that stays.
  [raised('major', 'raised'), { severity: 'minor' }],
]

/** Which of the faults under way makes the next step: the first one every other time, the last one seldom. */
const TURNS = [0, 1, 0, 2, 0, 1, 0, 3]

interface Lane {
  dn: string
  life: readonly Step[]
  at: number
}

export interface WorkloadOptions {
  readonly fabric: Fabric
  readonly clock: Clock
  /** One event, one policy change (or two) and one step of a fault each time. At least a few ms: a fabric stamps to the ms. */
  readonly intervalMs: number
}

export class Workload {
  readonly #options: WorkloadOptions
  readonly #lanes: Lane[] = [0, 1, 2, 3].map(() => ({ dn: '', life: [], at: 0 }))
  #cancel: Cancel | undefined
  #faults = 0
  #ticks = 0

  constructor(options: WorkloadOptions) {
    this.#options = options
  }

  /** How many times something was done in each of the classes. */
  get ticks(): number {
    return this.#ticks
  }

  start(): void {
    this.#cancel = this.#options.clock.after(this.#options.intervalMs, () => {
      this.tick()
      this.start()
    })
  }

  stop(): void {
    this.#cancel?.()
  }

  /** One of each. */
  tick(): void {
    const n = this.#ticks++
    const port = `topology/pod-1/node-101/sys/phys-[eth1/${(n % 48) + 1}]/phys`
    this.#options.fabric.record('eventRecord', { affected: port, descr: `work ${n}` })
    this.#policy(n)
    this.#fault(n)
  }

  #policy(n: number): void {
    const { fabric } = this.#options
    const group = Math.floor(n / 5)
    const tenant = `uni/tn-work-${group}`
    const epg = `${tenant}/ap-shop/epg-web-${group}`
    const deeds: readonly (readonly [className: string, dn: string, descr: string])[] = [
      ['fvTenant', tenant, 'made'],
      ['fvAEPg', epg, 'made'],
      ['fvAEPg', epg, 'changed'],
      ['fvTenant', tenant, 'changed'],
    ]
    const deed = deeds[n % 5]
    if (deed === undefined) {
      fabric.remove(epg)
      return
    }
    const [className, dn, what] = deed
    fabric.post(dn, { className, attributes: { descr: `${what} ${n}` }, children: [] })
  }

  #fault(n: number): void {
    const { fabric } = this.#options
    const lane = this.#lanes[TURNS[n % TURNS.length] ?? 0]
    if (lane === undefined) return
    if (lane.at >= lane.life.length) {
      const number = this.#faults++
      lane.life = LIVES[number % LIVES.length] ?? []
      lane.dn = `topology/pod-1/node-102/sys/phys-[eth${Math.floor(number / 48) + 1}/${(number % 48) + 1}]/phys/fault-F1394`
      lane.at = 0
    }
    const step = lane.life[lane.at++]
    if (step === undefined) return
    if (step === 'delete') {
      fabric.remove(lane.dn)
      return
    }
    const born: Step = { code: 'F1394', cause: 'interface-physical-down' }
    const attributes = fabric.tree.get(lane.dn) === undefined ? { ...born, ...step } : { ...step }
    fabric.post(lane.dn, { className: 'faultInst', attributes, children: [] })
  }
}

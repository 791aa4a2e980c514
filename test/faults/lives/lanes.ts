/** Faults that come, change, go, and come again under the same dn, faster than any fabric's. */
import type { Cancel, Clock } from '../../../src/scheduler/clock.ts'
import type { Fabric } from '../../../src/simulators/apic/fabric.ts'
import type { Dice } from '../whole/dice.ts'
import type { LifeSetting } from './setting.ts'

type Step = Readonly<Record<string, string>> | 'delete'

const at = (severity: string, lc: string): Step => ({ severity, lc })
const RETAINED: Step = at('cleared', 'retaining')

const LIVES: readonly (readonly Step[])[] = [
  [at('critical', 'raised'), 'delete', at('major', 'soaking'), { lc: 'raised' }, RETAINED, 'delete'],
  [at('major', 'raised'), RETAINED, at('major', 'raised'), RETAINED, at('major', 'raised'), RETAINED, 'delete'],
  [at('minor', 'soaking'), { lc: 'raised' }, { severity: 'major' }, { lc: 'raised-clearing' }, RETAINED, 'delete'],
  [at('warning', 'soaking'), 'delete', at('warning', 'soaking'), 'delete'],
  [at('minor', 'soaking'), { lc: 'soaking-clearing' }, RETAINED, 'delete'],
  [at('major', 'raised'), { severity: 'minor' }, { severity: 'major' }, { severity: 'minor' }],
  [at('major', 'raised'), 'delete', at('major', 'raised'), 'delete', at('major', 'raised'), 'delete'],
]
const SEVERITIES = ['warning', 'minor', 'major', 'critical'] as const
const CYCLES = ['soaking', 'soaking-clearing', 'raised', 'raised-clearing'] as const
const MOST_DNS = 40
const APART_MS = 7

interface Lane {
  dn: string
  life: readonly Step[]
  at: number
  /** Of its last step, by the wall: the judge tells steps apart that are further from each other than 5 ms. */
  lastMs: number
}

export class Lanes {
  readonly #fabric: Fabric
  readonly #clock: Clock
  readonly #dice: Dice
  readonly #setting: LifeSetting
  readonly #lanes: Lane[]
  readonly #cancels = new Map<Lane, Cancel>()
  #faults = 0

  constructor(fabric: Fabric, clock: Clock, dice: Dice, setting: LifeSetting) {
    this.#fabric = fabric
    this.#clock = clock
    this.#dice = dice
    this.#setting = setting
    this.#lanes = Array.from({ length: setting.lanes }, () => ({ dn: this.#dn(), life: [], at: 0, lastMs: 0 }))
  }

  start(): void {
    for (const lane of this.#lanes) this.#later(lane)
  }

  stop(): void {
    for (const cancel of this.#cancels.values()) cancel()
  }

  #later(lane: Lane): void {
    const dice = this.#dice
    // Now and then it rests for a while in the state that it has.
    const ms = dice.of(0.04) ? dice.whole(100, 900) : dice.whole(2, this.#setting.stepMs)
    this.#cancels.set(
      lane,
      this.#clock.after(ms, () => {
        this.#step(lane)
        this.#later(lane)
      }),
    )
  }

  #step(lane: Lane): void {
    const now = this.#clock.wall()
    if (now < lane.lastMs + APART_MS) return
    lane.lastMs = now
    const dice = this.#dice
    if (lane.at >= lane.life.length) {
      if (dice.of(0.1)) lane.dn = this.#dn()
      lane.life = dice.of(0.3) ? this.#random() : dice.pick(LIVES)
      lane.at = 0
    }
    const step = lane.life[lane.at++]
    const { recordsLateMs, lateness } = this.#setting
    if (lateness === 'each') {
      const { knobs } = this.#fabric
      knobs.recordsVisibleAfterMs = knobs.recordsPushedAfterMs = Math.round(recordsLateMs * dice.next())
    }
    if (step === 'delete') this.#fabric.remove(lane.dn)
    else if (step !== undefined) this.#post(lane.dn, step)
  }

  #post(dn: string, step: Exclude<Step, 'delete'>): void {
    const born: Step = { code: 'F1394', cause: 'interface-physical-down', severity: 'major' }
    const isThere = this.#fabric.tree.get(dn) !== undefined
    // No fault is born over.
    if (!isThere && step['lc'] === 'retaining') return
    const attributes = isThere ? { ...step } : { ...born, ...step }
    this.#fabric.post(dn, { className: 'faultInst', attributes, children: [] })
  }

  #random(): Step[] {
    const dice = this.#dice
    return Array.from({ length: dice.whole(2, 8) }, (): Step => {
      if (dice.of(0.2)) return 'delete'
      if (dice.of(0.2)) return RETAINED
      return at(dice.pick(SEVERITIES), dice.pick(CYCLES))
    })
  }

  /** One after the other, and from the first again: each fault has had a life before. */
  #dn(): string {
    const number = this.#faults++ % MOST_DNS
    return `topology/pod-1/node-102/sys/phys-[eth1/${number + 1}]/phys/fault-F1394`
  }
}

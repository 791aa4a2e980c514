/** What all three systems do meanwhile: a fabric at work, jobs with their returns, a cloud with its trail. Seeded. */
import type { Cancel, Clock } from '../../../src/scheduler/clock.ts'
import type { Fabric } from '../../../src/simulators/apic/fabric.ts'
import type { RaasSimulator } from '../../../src/simulators/raas/server.ts'
import type { VcdSimulator } from '../../../src/simulators/vcd/simulator.ts'
import { ret, routeIn } from '../../raas/bus.ts'
import { Workload } from '../workload.ts'
import type { Dice } from './dice.ts'

const MINIONS = Array.from({ length: 12 }, (_, n) => `web${String(n).padStart(2, '0')}`)
/** A tenant of the workload is taken away when so many younger ones are there. */
const TENANTS_KEPT = 6

export interface LabourOptions {
  readonly fabric: Fabric
  readonly raas: RaasSimulator
  readonly vcd: VcdSimulator
  readonly clock: Clock
  readonly dice: Dice
  /** Between two turns: each does a few things in each system. */
  readonly intervalMs: number
}

interface Due {
  readonly turn: number
  readonly jid: string
  readonly minion: string
}

export class Labour {
  readonly #options: LabourOptions
  readonly #workload: Workload
  #due: Due[] = []
  #turn = 0
  #gone = 0
  #facts = 0
  #cancel: Cancel | undefined

  constructor(options: LabourOptions) {
    this.#options = options
    this.#workload = new Workload({ fabric: options.fabric, clock: options.clock, intervalMs: options.intervalMs })
  }

  start(): void {
    this.#cancel = this.#options.clock.after(this.#options.intervalMs, () => {
      this.turn()
      this.start()
    })
  }

  /** Stops at once; returns that are still to come are pushed now, so that no run is left without. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
    this.#answer(Number.POSITIVE_INFINITY)
  }

  turn(): void {
    const { dice } = this.#options
    const turn = ++this.#turn
    this.#workload.tick()
    this.#forget()
    if (dice.of(0.15)) this.#run()
    this.#answer(turn)
    for (let rows = dice.whole(0, 2); rows > 0; rows--) this.#row()
  }

  /** Something new in each system, that no fault saw. */
  fresh(): void {
    this.#workload.tick()
    this.#run()
    this.#answer(Number.POSITIVE_INFINITY)
    this.#row()
  }

  /** Tenants go, and now and then come again under the same name. */
  #forget(): void {
    const { fabric, dice } = this.#options
    const oldest = `uni/tn-work-${this.#gone}`
    if (fabric.tree.get(`uni/tn-work-${this.#gone + TENANTS_KEPT}`) === undefined) return
    this.#gone++
    fabric.remove(oldest)
    if (!dice.of(0.3)) return
    const attributes = { descr: `again ${++this.#facts}` }
    fabric.post(oldest, { className: 'fvTenant', attributes, children: [] })
  }

  #run(): void {
    const { raas, dice } = this.#options
    const first = dice.whole(0, MINIONS.length - 1)
    const minions = Array.from({ length: dice.whole(1, 4) }, (_, n) => MINIONS[(first + n) % MINIONS.length] ?? 'web00')
    const jid = routeIn(raas, minions)
    for (const minion of minions) this.#due.push({ turn: this.#turn + dice.whole(1, 30), jid, minion })
  }

  #answer(turn: number): void {
    const { raas, dice } = this.#options
    const now = this.#due.filter(one => one.turn <= turn)
    this.#due = this.#due.filter(one => one.turn > turn)
    for (const { jid, minion } of now) {
      const retcode = dice.of(0.2) ? 1 : 0
      raas.push('master1', [ret(jid, minion, `answer ${++this.#facts}`, { retcode, success: retcode === 0 })])
    }
  }

  #row(): void {
    const { vcd, dice } = this.#options
    const number = dice.whole(0, 9)
    const vm = { name: `vm-${number}`, id: `urn:vcloud:vm:6a0c0c52-0000-4000-8000-00000000010${number}` }
    const byToken = dice.of(0.5)
    vcd.write({
      type: dice.pick(['vm/modify', 'vm/change_state', 'vapp/modify']),
      org: 'acme',
      user: byToken ? 'ci-bot' : 'alice',
      tokenId: byToken ? TOKEN : null,
      success: dice.of(0.9),
      entity: vm,
    })
  }
}

const TOKEN = '6a0c0c52-0000-4000-8000-0000000000f1'

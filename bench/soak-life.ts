/** What happens on the fabric of a soak run: at a steady pace records, policy changes and faults in turn. */
import { sleep, systemClock } from '../src/scheduler/clock.ts'
import type { ApicSimulator } from '../src/simulators/apic/controller.ts'

/** Faults that are under way side by side, so that a hole finds them in different states. */
const FAULTS = 6
/** Ports that one of them uses in turn: a fault comes back where it was before. */
const PORTS = 5
/** Between the steps of a fault that comes and goes: the fabric stamps to the millisecond. */
const FLASH_STEP_MS = 20

type Step = () => void

export class Life {
  readonly #simulator: ApicSimulator
  readonly #faults: Generator<Step>[]
  readonly #tenants: Generator<Step>
  #turns = 0
  #records = 0
  #flashes = 0

  constructor(simulator: ApicSimulator) {
    this.#simulator = simulator
    this.#faults = Array.from({ length: FAULTS }, (_, index) => this.#faultStory(index))
    this.#tenants = this.#tenantStory()
  }

  /** Lives until the signal aborts, `perSecond` steps a second by the clock: what was late is caught up. */
  async run(perSecond: number, signal: AbortSignal): Promise<void> {
    const start = systemClock.now()
    for (let turn = 1; !signal.aborted; turn++) {
      this.#step()
      const wait = start + (turn * 1000) / perSecond - systemClock.now()
      if (wait > 0) await sleep(systemClock, wait, signal).catch(() => undefined)
    }
  }

  /**
   * One of each at once, so that no hole is empty, and the fault raised, worse, cleared and gone within a moment: in a
   * hole only the history has it.
   */
  async flash(): Promise<void> {
    this.#record()
    this.#tenants.next().value?.()
    const dn = `topology/pod-1/node-102/sys/phys-[eth1/${100 + (this.#flashes++ % PORTS)}]/phys/fault-F1296`
    const steps: Step[] = [
      () => this.#fault(dn, { code: 'F1296', cause: 'interface-errors', severity: 'major', lc: 'raised' }),
      () => this.#fault(dn, { severity: 'critical' }),
      () => this.#fault(dn, { severity: 'cleared', lc: 'retaining' }),
      () => this.#simulator.remove(dn),
    ]
    for (const step of steps) {
      step()
      await sleep(systemClock, FLASH_STEP_MS)
    }
  }

  #step(): void {
    const turn = this.#turns++
    if (turn % 3 === 0) this.#record()
    else if (turn % 3 === 1) this.#tenants.next().value?.()
    else this.#faults[Math.floor(turn / 3) % FAULTS]?.next().value?.()
  }

  #record(): void {
    const number = this.#records++
    const isUp = number % 2 === 1
    const port = `topology/pod-1/node-${101 + (number % 2)}/sys/phys-[eth1/${1 + (number % 48)}]/phys`
    this.#simulator.emit('eventRecord', {
      affected: port,
      cause: isUp ? 'port-up' : 'port-down',
      changeSet: isUp ? 'operSt (Old: down, New: up)' : 'operSt (Old: up, New: down)',
      code: isUp ? 'E4205126' : 'E4205125',
      descr: `Port is ${isUp ? 'up' : 'down'} (soak ${number})`,
      severity: isUp ? 'info' : 'warning',
    })
  }

  #fault(dn: string, attributes: Record<string, string>): void {
    this.#simulator.post(dn, { faultInst: { attributes } })
  }

  /** Raised, worse, clearing, now and then back again, cleared, gone; then the next port. */
  *#faultStory(index: number): Generator<Step> {
    for (let life = 0; ; life++) {
      const dn = `topology/pod-1/node-101/sys/phys-[eth1/${1 + index * PORTS + (life % PORTS)}]/phys/fault-F1394`
      const descr = 'Port is down, reason: notConnected'
      const set = (attributes: Record<string, string>) => () => this.#fault(dn, attributes)
      yield set({ code: 'F1394', cause: 'interface-physical-down', severity: 'minor', lc: 'raised', descr })
      yield set({ severity: 'major' })
      yield set({ lc: 'raised-clearing' })
      if (life % 2 === 1) {
        yield set({ lc: 'raised' })
        yield set({ lc: 'raised-clearing' })
      }
      yield set({ severity: 'cleared', lc: 'retaining' })
      yield () => this.#simulator.remove(dn)
    }
  }

  /** Each step leaves audit records; the first and the last leave several of one transaction. */
  *#tenantStory(): Generator<Step> {
    for (let round = 0; ; round++) {
      const name = `soak-${round}`
      const dn = `uni/tn-${name}`
      const post = (at: string, body: object) => () => void this.#simulator.post(at, body)
      const children = [{ fvCtx: { attributes: { name: 'main' } } }, { fvBD: { attributes: { name: 'front' } } }]
      yield post('uni', { fvTenant: { attributes: { name, descr: 'made by the soak' }, children } })
      yield post(dn, { fvTenant: { attributes: { descr: 'owner: team blue' } } })
      yield post(`${dn}/BD-front`, { fvBD: { attributes: { arpFlood: 'yes' } } })
      yield post(dn, { fvTenant: { attributes: { descr: 'owner: team green' } } })
      yield () => this.#simulator.remove(dn)
    }
  }
}

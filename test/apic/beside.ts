/** opswire and, beside it on the same simulator, a client as they are often written: it shows what each failure does. */
import type { ApicSimulatorOptions } from '../../src/simulators/apic/controller.ts'
import { DEFAULT_USER } from '../../src/simulators/apic/controller.ts'
import type { Tuning } from '../../src/subscribers/apic/core.ts'
import { Client } from '../simulators/apic-client.ts'
import { ApicRig, certificate } from '../support/apic-source.ts'
import { ManualClock, until } from '../support/manual-clock.ts'

/** An account of its own: the record tells whose session was whose. */
const NAIVE = { name: 'naive', password: 'ins3965!' }

export interface BesideOptions {
  readonly simulator?: Partial<ApicSimulatorOptions>
  readonly config?: Record<string, unknown>
  readonly tuning?: Partial<Tuning>
  /** Done before opswire starts. */
  readonly before?: (beside: Beside) => void | Promise<void>
}

export class Beside {
  readonly clock: ManualClock
  readonly rig: ApicRig
  readonly naive: Client

  private constructor(clock: ManualClock, rig: ApicRig) {
    this.clock = clock
    this.rig = rig
    this.naive = new Client(rig.simulator, certificate.cert)
  }

  /** opswire is live, the other client has not logged in. */
  static async start(options: BesideOptions = {}): Promise<Beside> {
    const clock = new ManualClock()
    const { simulator, config, tuning, before } = options
    const rig = await ApicRig.make({
      clock,
      start: false,
      simulator: { users: [DEFAULT_USER, NAIVE], ...simulator },
      ...(config === undefined ? {} : { config }),
      ...(tuning === undefined ? {} : { tuning }),
    })
    const beside = new Beside(clock, rig)
    await before?.(beside)
    rig.start()
    await until(() => {
      void clock.advance(10)
      return beside.isLive
    }, 'opswire live')
    return beside
  }

  /** Each of opswire's subscriptions was live when last heard of. */
  get isLive(): boolean {
    const states = new Map<string, string>()
    for (const one of this.rig.happenings) {
      if (one.type === 'feed_declared' && !states.has(one.feed)) states.set(one.feed, 'declared')
      if (one.type === 'feed_state') states.set(one.feed, one.state)
    }
    return states.size > 0 && [...states.values()].every(state => state === 'live')
  }

  /** Logs in and opens a socket, the way of everybody. */
  async listen() {
    await this.naive.login(NAIVE.name, NAIVE.password)
    return this.naive.socket()
  }

  /** How often opswire published something whose text holds this, by origin. */
  told(text: string): string[] {
    return this.rig.facts().flatMap(fact => (JSON.stringify(fact).includes(text) ? [fact.origin] : []))
  }

  /** Sessions of opswire, by the simulator's own account. */
  get sessions() {
    return this.rig.simulator.record.sessions.filter(session => session.user === DEFAULT_USER.name)
  }

  /** Subscriptions of opswire, likewise. */
  get subscriptions() {
    const own = new Set(this.sessions.map(session => session.id))
    return this.rig.simulator.record.subscriptions.filter(one => own.has(one.sessionId))
  }

  async close(): Promise<void> {
    this.naive.close()
    await this.rig.close()
  }
}

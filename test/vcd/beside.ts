/** The source and a naive client beside it, at the same cloud: what the failure rows are shown with. */

import type { VcdOptions } from '../../src/simulators/vcd/simulator.ts'
import type { RowSeed } from '../../src/simulators/vcd/trail.ts'
import type { Store } from '../../src/store/contract.ts'
import { openStore } from '../../src/store/open.ts'
import { startRunner } from '../../src/subscribers/runner.ts'
import { vcdSubscriber } from '../../src/subscribers/vcd/subscriber.ts'
import { Naive } from './naive.ts'
import { type Rig, startRig } from './rig.ts'

export const MINUTE = 60_000
export const HOUR = 60 * MINUTE
export const ROW: RowSeed = { type: 'vm/modify', user: 'alice', org: 'acme' }

export class Beside {
  readonly rig: Rig
  readonly naive: Naive
  #store: Store | undefined
  #stopRunner: (() => Promise<void>) | undefined

  private constructor(rig: Rig, naive: Naive) {
    this.rig = rig
    this.naive = naive
  }

  /** Neither has read anything yet; logins with API tokens leave no rows unless asked for. */
  static async start(knobs: Partial<VcdOptions> = {}, version?: string): Promise<Beside> {
    const rig = await startRig({ tokenLoginEvents: false, ...knobs })
    return new Beside(rig, await Naive.start(rig, version))
  }

  /** Reads until the first walk is over. */
  caughtUp(more: Record<string, unknown> = {}): Promise<void> {
    return this.rig.caughtUp(more)
  }

  /** An event with this text in it is in the store of `run`. */
  stored(text: string): boolean {
    const events = this.#store?.read(0, 10_000) ?? []
    return events.some(({ body }) => Buffer.from(body).includes(text))
  }

  /** The real runner on a store in memory: tries again as the daemon does. */
  async run(more: Record<string, unknown> = {}): Promise<void> {
    const { rig } = this
    const { clock } = rig
    const report = (happening: (typeof rig.happenings)[number]): void => void rig.happenings.push(happening)
    const limits = { maxBytes: 1 << 28, retainAckedMs: 0, maxDeadLetters: 10, clock, report }
    const store = await openStore({ stateDir: undefined, ...limits })
    this.#store = store
    const subscriber = vcdSubscriber(rig.config(more))
    const runner = startRunner({ subscriber, store, clock, report, stateDir: rig.directory })
    this.#stopRunner = async () => {
      let over = false
      const stopping = runner.stop(AbortSignal.abort()).then(() => {
        over = true
      })
      await rig.drive(() => over, 'the runner stopped')
      await stopping
    }
  }

  /** Lets this much time pass while the source reads. */
  async pass(ms: number): Promise<void> {
    const { rig } = this
    const end = rig.clock.wall() + ms
    while (rig.clock.wall() < end) {
      await rig.drive(() => rig.clock.next !== undefined && rig.resting, 'a pause')
      await rig.clock.advance(Math.min(rig.clock.next ?? 0, end - rig.clock.wall()))
    }
  }

  has(id: string): boolean {
    return this.rig.rows().has(id)
  }

  async both(id: string): Promise<void> {
    await this.rig.drive(() => this.has(id), 'the row')
  }

  gaps(): string[] {
    return this.rig.gaps().map(fact => fact.data.gap?.reason ?? '')
  }

  logins(): number {
    return this.rig.simulator.record.logins.length
  }

  asked(part: string): number {
    return this.rig.simulator.record.requests.filter(({ path }) => path.includes(part)).length
  }

  async close(): Promise<void> {
    await this.#stopRunner?.()
    await this.#store?.close()
    await this.rig.end()
  }
}

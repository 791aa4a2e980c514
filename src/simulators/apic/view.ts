/** What a controller answers queries from: the fabric as it is, or as it was when the controller lost sight of it. */
import type { Fabric } from './fabric.ts'
import type { Knobs } from './knobs.ts'
import type { Logs } from './logs.ts'
import type { Model } from './model.ts'
import type { Tree } from './tree.ts'

export interface View {
  readonly model: Model
  readonly tree: Tree
  readonly logs: Logs
  /** Monotonic ms; records that are visible from later on are not seen. */
  readonly seesTo: number
  /** Ms since the epoch, and as it is printed, by the clock of this controller. It goes on where the data stands still. */
  readonly clockMs: number
  readonly stamp: string
  /** The same by the fabric's own clock: what other nodes say. */
  readonly fabricStamp: string
  /** Which node answers, and how far its clock is ahead of the fabric's, ms. */
  readonly nodeId: number
  readonly aheadMs: number
}

/**
 * How a controller that is cut off from the other two behaves. For subscriptions nothing was found (reference/apic.md
 * e7, "may be read-only or refuse"): it pushes nothing in any reading. `current`: it answers queries from what the others
 * go on writing. `frozen`: from what it had when it was cut off, while its clock goes on. `refuses`: nginx answers 503 to
 * everything, and sockets stay open.
 */
export type Minority = 'current' | 'frozen' | 'refuses'

/** One controller's place among the others. */
export class Standing {
  readonly #fabric: Fabric
  readonly #knobs: Knobs
  readonly #nodeId: number
  #minority: Minority | undefined
  #frozen: Pick<View, 'tree' | 'logs' | 'seesTo'> | undefined

  constructor(fabric: Fabric, knobs: Knobs, nodeId: number) {
    this.#fabric = fabric
    this.#knobs = knobs
    this.#nodeId = nodeId
  }

  get isMinority(): boolean {
    return this.#minority !== undefined
  }

  get refuses(): boolean {
    return this.#minority === 'refuses'
  }

  /** Loses the others. Called again, it only changes the reading: what is frozen stays as it was. */
  cutOff(reading: Minority): void {
    this.#minority = reading
    if (reading !== 'frozen' || this.#frozen !== undefined) return
    const { tree, logs } = this.#fabric
    this.#frozen = { tree: tree.copy(), logs: logs.copy(), seesTo: this.#seesTo() }
  }

  /** Is one of them again, with all that happened meanwhile; nothing of it is pushed later. */
  rejoin(): void {
    this.#minority = undefined
    this.#frozen = undefined
  }

  /** What a query sees now. */
  get view(): View {
    const fabric = this.#fabric
    const aheadMs = this.#knobs.clockAheadMs
    const fabricMs = fabric.time.wall() + fabric.clockAheadMs
    const frozen = this.#minority === 'frozen' ? this.#frozen : undefined
    const { tree, logs, seesTo } = frozen ?? { tree: fabric.tree, logs: fabric.logs, seesTo: this.#seesTo() }
    return {
      model: fabric.model,
      tree,
      logs,
      seesTo,
      clockMs: fabricMs + aheadMs,
      stamp: fabric.stamp(fabricMs + aheadMs),
      fabricStamp: fabric.stamp(fabricMs),
      nodeId: this.#nodeId,
      aheadMs,
    }
  }

  #seesTo(): number {
    return this.#fabric.time.now() - this.#knobs.recordLagMs
  }
}

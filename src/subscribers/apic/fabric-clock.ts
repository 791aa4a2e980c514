/** The fabric's own clock: cursors go by it, not by ours (reference b2: topInfo.currentTime). */

import { describe } from '../../errors.ts'
import type { Clock } from '../../scheduler/clock.ts'
import { every } from '../../scheduler/interval.ts'
import { type ApicClient, isSessionError, Refused } from './client.ts'
import type { Core } from './core.ts'
import type { ApicAnswer } from './decode.ts'
import { patient } from './patient.ts'

/** Logins are the dearest thing to ask for: one page of nginx's is no reason to make another. */
const PATIENCE_MS = 30_000
/** So far our two clocks may drift apart before the fabric's is asked for again: the machine slept, or was set. */
const DRIFT_MS = 2000

/** How often our own clock is looked at: after a jump of it the fabric's is asked for anew. */
const LOOK_MS = 15_000

/** Goes on by our monotonic clock between two readings: a step of our wall clock is none of the fabric's. */
export class FabricClock {
  readonly #clock: Clock
  readonly #onRefused: (reason: string) => void
  #fabricMs: number
  #readAt: number
  #readWall: number

  /**
   * Until it is read it is taken to agree with our own. `onRefused` is told each time that the controller refuses the
   * question.
   */
  constructor(clock: Clock, onRefused: (reason: string) => void) {
    this.#clock = clock
    this.#onRefused = onRefused
    this.#readAt = clock.now()
    this.#readWall = clock.wall()
    this.#fabricMs = this.#readWall
  }

  /** ms since the epoch. */
  now(): number {
    return this.#fabricMs + this.#clock.now() - this.#readAt
  }

  /** True when our wall clock has jumped since the reading, so that one of our clocks can't be trusted. */
  get isDoubtful(): boolean {
    const { now, wall } = { now: this.#clock.now() - this.#readAt, wall: this.#clock.wall() - this.#readWall }
    return Math.abs(now - wall) > DRIFT_MS
  }

  /**
   * Asks the controller. An answer that doesn't say leaves it as it is, and so does a refusal: an account without that
   * right is no reason to end a session. Throws as `client.get` for the rest.
   */
  async read(client: Pick<ApicClient, 'get'>, signal: AbortSignal): Promise<void> {
    const ask = () => client.get('/api/mo/info.json', 'clock', signal)
    let objects: ApicAnswer['objects'] = []
    try {
      objects = (await patient(this.#clock, signal, ask, PATIENCE_MS)).objects
    } catch (error) {
      if (!(error instanceof Refused)) throw error
      this.#onRefused(describe(error))
    }
    const fabricMs = Date.parse(objects.find(object => object.cls === 'topInfo')?.attributes['currentTime'] ?? '')
    if (!Number.isNaN(fabricMs)) this.#fabricMs = fabricMs
    else this.#fabricMs = this.now()
    this.#readAt = this.#clock.now()
    this.#readWall = this.#clock.wall()
  }

  /** Asks again every `reconcile_interval`, and when our own clock has jumped, until the session is over. Never rejects. */
  async keep({ client, clock, config, signal }: Core, onSessionEnd: (error: unknown) => void): Promise<void> {
    let readAt = clock.now()
    const look = async (): Promise<void> => {
      if (clock.now() - readAt < config.reconcile_interval && !this.isDoubtful) return
      try {
        await this.read(client, signal)
        readAt = clock.now()
      } catch (error) {
        if (isSessionError(error)) onSessionEnd(error)
      }
    }
    await every(clock, Math.min(LOOK_MS, config.reconcile_interval), look, { signal, immediately: false })
  }
}

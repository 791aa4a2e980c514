/** The cloud of the model run: who works in it, what goes wrong with it, all from one seed. */
import type { RowSeed } from '../../src/simulators/vcd/trail.ts'
import { type Fault, seeded } from '../../src/simulators/vcd/world.ts'
import { type Rig, startRig } from './rig.ts'

export const SECOND = 1000
export const MINUTE = 60 * SECOND
const TOKENS = 24
/** The last ones are not in the inventory. */
const UNLISTED = 4
const ADDRESSES = 6

export interface CloudOptions {
  readonly seed: number
  /** The latest that a row becomes visible after its stamp. */
  readonly lateMs: number
  readonly retentionMs: number
}

export const tokenId = (n: number): string => `6a0c0c52-0000-4000-8000-${(0xf00 + n).toString(16).padStart(12, '0')}`
const sessionId = (n: number): string => `6a0c0c52-0000-4000-9000-${n.toString(16).padStart(12, '0')}`

/** Between 0 and 1, and what is made of it. */
export class Chance {
  readonly next: () => number

  constructor(seed: number) {
    this.next = seeded(seed)
  }
  of(probability: number): boolean {
    return this.next() < probability
  }
  upTo(n: number): number {
    return Math.floor(this.next() * n)
  }
}

export class ModelCloud {
  readonly rig: Rig
  readonly chance: Chance
  readonly #options: CloudOptions
  /** Own chances for what depends on the order of requests: what is written stays the same for one seed. */
  readonly #trouble: Chance
  /** Nothing answers until then. */
  outageUntil = 0
  troubled = true
  /** A request is left without any answer. */
  hanging = false
  failed = 0
  hung = 0
  outages = 0
  ties = 0
  #sessions = 0

  private constructor(rig: Rig, options: CloudOptions) {
    this.rig = rig
    this.#options = options
    this.chance = new Chance(options.seed)
    this.#trouble = new Chance(options.seed + 1)
  }

  static async start(options: CloudOptions): Promise<ModelCloud> {
    const late = new Chance(options.seed + 2)
    const rig = await startRig({
      seed: options.seed + 3,
      retentionMs: options.retentionMs,
      subMillisecond: true,
      cells: [
        { id: 'cell-a', skewMs: 0 },
        { id: 'cell-b', skewMs: 3 * SECOND },
        { id: 'cell-c', skewMs: -8 * SECOND },
      ],
      // One row in ten takes its time, of those one in ten nearly all of it.
      latenessMs: () => {
        if (!late.of(0.1)) return late.next() * 3 * SECOND
        return late.of(0.1) ? options.lateMs * (0.9 + 0.1 * late.next()) : options.lateMs * late.next()
      },
    })
    const cloud = new ModelCloud(rig, options)
    rig.simulator.knobs.fail = request => cloud.#fault(request.path)
    const listed = Array.from({ length: TOKENS - UNLISTED }, (_, n) => `- { id: ${tokenId(n)}, name: bot-${n} }\n`)
    rig.file('tokens.yaml', listed.join(''))
    return cloud
  }

  /** The name that events of that token must carry. */
  nameOf(id: string): string | undefined {
    for (let n = 0; n < TOKENS - UNLISTED; n++) if (tokenId(n) === id) return `bot-${n}`
    return undefined
  }

  /** Writes a burst of rows that happen over the next `spanMs`; now and then a tie longer than a page. Gives how many. */
  burst(rows: number, spanMs: number): number {
    const { chance, rig } = this
    for (let row = 0; row < rows; row++) this.#write(Math.floor(chance.next() * spanMs))
    if (!chance.of(0.01)) return rows
    this.ties++
    const tied = 130 + chance.upTo(300)
    const afterMs = chance.upTo(spanMs)
    const at = rig.clock.wall() + afterMs
    for (let row = 0; row < tied; row++) this.#write(afterMs, at)
    return rows + tied
  }

  #write(afterMs: number, atMs?: number): void {
    const { chance, rig } = this
    const what = chance.next()
    const who = what < 0.55 ? this.#byToken() : what < 0.8 ? this.#bySession() : { user: 'alice', sessionId: null }
    const type = chance.of(0.5) ? 'vm/modify' : 'vapp/modify'
    rig.simulator.write({
      type,
      org: 'acme',
      success: chance.of(0.9),
      afterMs,
      ...(atMs === undefined ? {} : { atMs }),
      ...who,
    })
  }

  #byToken(): Partial<RowSeed> & { user: string } {
    const n = this.chance.upTo(TOKENS)
    const clientAddress = `198.51.100.${n * 10 + (this.chance.of(0.01) ? this.chance.upTo(ADDRESSES) : 0)}`
    return { user: 'ci-bot', tokenId: tokenId(n), sessionId: sessionId(0x10000 + n), clientAddress }
  }

  #bySession(): Partial<RowSeed> & { user: string } {
    // A session logs in before it acts; the login is a row of its own.
    if (this.#sessions === 0 || this.chance.of(0.02)) {
      this.rig.simulator.write({
        type: 'session/login',
        user: 'alice',
        org: 'acme',
        sessionId: sessionId(++this.#sessions),
        lateMs: 0,
      })
    }
    return { user: 'alice', sessionId: sessionId(this.#sessions) }
  }

  #fault(path: string): Fault | undefined {
    if (!this.troubled) return undefined
    if (this.rig.clock.wall() < this.outageUntil) return this.#failed({ kind: 'reset' })
    if (!this.#trouble.of(0.05)) return undefined
    const kind = this.#trouble.upTo(path.includes('auditTrail') ? 9 : 7)
    if (kind < 2) return this.#failed({ kind: 'status', status: 503 })
    if (kind < 3) return this.#failed({ kind: 'html', status: 200 })
    if (kind < 5) return this.#failed({ kind: 'reset' })
    if (kind < 7) return this.#failed({ kind: 'lost' })
    if (kind < 8) {
      this.rig.simulator.endSessions()
      return this.#failed({ kind: 'status', status: 401 })
    }
    this.hung++
    this.hanging = true
    return this.#failed({ kind: 'hang' })
  }

  #failed(fault: Fault): Fault {
    this.failed++
    return fault
  }

  /** The cell, or the way to it, is gone for this long. */
  outage(ms: number): void {
    this.outages++
    this.outageUntil = this.rig.clock.wall() + ms
  }

  /** From here on all is well, and nothing is late. */
  calm(): void {
    this.troubled = false
    this.outageUntil = 0
    this.rig.simulator.knobs.latenessMs = () => 0
  }

  get lateMs(): number {
    return this.#options.lateMs
  }
}

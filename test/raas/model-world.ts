/** What goes on in the model of a busy RaaS: jobs, masters that push, late commits, hands that touch and trim. Seeded. */
import type { RaasSimulator } from '../../src/simulators/raas/server.ts'
import { ret, routeIn } from './bus.ts'
import { generator } from './generator.ts'

export interface WorldOptions {
  readonly seed: number
  /** Every n-th run is of no job: a minion's own schedule, the command line of a master. */
  readonly lonePart?: number
  /** Parts of the pushes that are committed late, and of the jobs that answer hours later. */
  readonly lateCommits?: number
  readonly lateJobs?: number
  /** Commits become visible so late at most, ms: 5 s at least where they are late at all. */
  readonly latestMs?: number
  /** Steps until the answers of a late job come, from this number up to twice as many. */
  readonly lateSteps?: number
  /** Returns of no job that become visible later than the overlap, and later than a sweep: one of each every so many steps. */
  readonly strayEvery?: number
  /** Steps between two trims. */
  readonly trimEvery?: number
  /** Rows older than this are trimmed now and then, ms. */
  readonly trimAgeMs?: number
}

interface Later {
  readonly atStep: number
  readonly jid: string
  readonly minion: string
  readonly value: number
}

const REWRITTEN = 0.02

/** One step is one poll interval. Counts what it does, for the report. */
export class World {
  readonly #sim: RaasSimulator
  readonly #options: Required<WorldOptions>
  readonly chance: () => number
  #step = 0
  #minions = 0
  #pending: Later[] = []
  #nextDelayMs = 0
  readonly jids: string[] = []
  readonly did = {
    pushes: 0,
    ties: 0,
    largestTie: 0,
    lateCommits: 0,
    lateJobs: 0,
    rewritten: 0,
    lone: 0,
    strays: 0,
    trims: 0,
    trimmed: 0,
  }

  constructor(sim: RaasSimulator, options: WorldOptions) {
    this.#sim = sim
    this.#options = {
      lonePart: 0.1,
      lateCommits: 0.05,
      lateJobs: 0.02,
      latestMs: 40_000,
      lateSteps: 240,
      strayEvery: 0,
      trimEvery: 60,
      trimAgeMs: 9_000_000,
      ...options,
    }
    this.chance = generator(options.seed)
    sim.knobs.commitDelayMs = () => this.#nextDelayMs
    // Of three nodes that write, one has a clock 3 s ahead and one 2 s behind.
    sim.knobs.writerSkewMs = push => (push % 3 === 0 ? 3000 : push % 7 === 0 ? -2000 : 0)
  }

  upTo(n: number): number {
    return Math.floor(this.chance() * n)
  }

  /** Returns still to come. */
  get pending(): number {
    return this.#pending.length
  }

  /** One transaction of a master. `delayMs`: when it becomes visible, after its time. */
  push(returns: readonly ReturnType<typeof ret>[], delayMs = 0): void {
    this.#nextDelayMs = delayMs
    if (delayMs > 0) this.did.lateCommits++
    if (returns.length > 1) this.did.ties++
    this.did.pushes++
    this.did.largestTie = Math.max(this.did.largestTie, returns.length)
    this.#sim.push('master1', returns)
    this.#nextDelayMs = 0
  }

  /** Lives one step; `pause` lets a few milliseconds pass between two pushes. */
  async step(pause: (ms: number) => Promise<void>, isQuiet = false): Promise<void> {
    this.#step++
    this.#deliver()
    if (!isQuiet) {
      for (let batch = 1 + this.upTo(3); batch > 0; batch--) {
        this.#batch()
        await pause(1 + this.upTo(500))
      }
      const { strayEvery } = this.#options
      if (strayEvery > 0 && this.#step % strayEvery === 0) this.#stray()
    }
    if (this.#step % this.#options.trimEvery === 0) this.#trim()
  }

  #batch(): void {
    const size = this.chance() < 0.8 ? 1 + this.upTo(8) : 40 + this.upTo(161)
    const minions = Array.from({ length: size }, () => `m${this.#minions++}`)
    const isLone = this.chance() < this.#options.lonePart
    const jid = isLone ? this.#sim.tables.newJid().jid : routeIn(this.#sim, minions)
    if (isLone) this.did.lone += size
    else this.jids.push(jid)
    // A job that answers hours later: whole, or the half of it.
    const isLate = this.chance() < this.#options.lateJobs
    if (isLate) this.did.lateJobs++
    const late = isLate ? minions.filter(() => this.chance() < 0.5) : []
    const { lateSteps } = this.#options
    for (const minion of late) {
      this.#pending.push({ atStep: this.#step + lateSteps + this.upTo(lateSteps), jid, minion, value: 0 })
    }
    const now = minions.filter(minion => !late.includes(minion))
    for (const minion of now) {
      if (this.chance() >= REWRITTEN) continue
      this.#pending.push({ atStep: this.#step + 20 + this.upTo(60), jid, minion, value: this.upTo(2) })
      this.did.rewritten++
    }
    if (now.length === 0) return
    const delayMs = this.chance() < this.#options.lateCommits ? 5000 + this.upTo(this.#options.latestMs - 5000) : 0
    this.push(
      now.map(minion => ret(jid, minion, { value: 0 })),
      delayMs,
    )
  }

  #stray(): void {
    for (const [minion, delayMs] of [
      [`beyond-overlap${this.#step}`, 240_000 + this.upTo(2_400_000)],
      [`beyond-sweep${this.#step}`, 4_500_000 + this.upTo(1_800_000)],
    ] as const) {
      this.push([ret(this.#sim.tables.newJid().jid, minion, { value: 0 })], delayMs)
      this.did.strays++
    }
  }

  #deliver(): void {
    const due = this.#pending.filter(one => one.atStep <= this.#step)
    if (due.length === 0) return
    this.#pending = this.#pending.filter(one => one.atStep > this.#step)
    for (const { jid, minion, value } of due) this.push([ret(jid, minion, { value })])
  }

  #trim(): void {
    const before = this.#sim.tables.returns.length
    this.#sim.tables.trim((this.#sim.tables.wallMs() - this.#options.trimAgeMs) * 1000)
    this.did.trims++
    this.did.trimmed += before - this.#sim.tables.returns.length
  }
}

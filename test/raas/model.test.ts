/**
 * A busy RaaS with everything that goes wrong at once, counted against what the stand-in showed; beside it two readers
 * as they are often written. `npm run model -- raas` is the same for 100,000 returns.
 */
import { afterEach, expect, test } from 'vitest'
import { contentsOf, Model, type ModelOptions } from './model.ts'
import { Naive } from './naive.ts'

let model: Model

afterEach(async () => {
  await model.close()
})

/** Polls beside the source, with a new login whenever it can think of nothing else. */
class Beside {
  readonly #readers: Naive[] = []

  async poll(model: Model): Promise<void> {
    if (this.#readers.length === 0) {
      const [byTime, byJid] = [new Naive(model), new Naive(model)]
      byJid.by = 'jid'
      for (const reader of [byTime, byJid]) reader.pages = 20
      this.#readers.push(byTime, byJid)
    }
    for (const reader of this.#readers) {
      const errors = reader.errors.length
      await reader.poll()
      if (reader.errors.length > errors) await reader.login().catch(() => undefined)
    }
  }

  /** Of the returns owed, how many each of them never told. */
  lost(model: Model): number[] {
    const owed = contentsOf(model.sim)
    return this.#readers.map(reader => {
      const told = new Map<string, number>()
      for (const one of reader.told) told.set(one, (told.get(one) ?? 0) + 1)
      return [...owed].reduce((sum, [key, count]) => sum + Math.max(0, count - (told.get(key) ?? 0)), 0)
    })
  }
}

const NONE = { lost: 0, twice: 0, runsLost: 0, runsTwice: 0, dead: 0, gaps: 0 }

test.each([
  [7, true],
  [23, false],
])(
  'seed %i, job loop %s: late commits, ties, late and repeated returns, expiry, failures, trims, deaths: all of it, once',
  async (seed, jobs) => {
    const beside = new Beside()
    const options: ModelOptions = {
      ...{ seed, jobs, returns: 2000 },
      world: { lateCommits: 0.1, lateJobs: 0.08, latestMs: 110_000, lateSteps: 40, trimEvery: 40, trimAgeMs: 900_000 },
      before: running => beside.poll(running),
    }
    model = await Model.start(options)
    // Pages so large that no overlap is needed would prove nothing.
    model.sim.knobs.pageCap = 700
    const report = await model.run(options)
    expect(report).toMatchObject(NONE)
    expect(report.delivered).toBe(report.owed)
    // By the tail's own walks: a sweep that finds something means that they missed it.
    if (!jobs) expect(report.recovered).toBe(0)
    // Not by luck: it all happened.
    const { did } = report
    for (const times of [
      did.lateCommits,
      did.lateJobs,
      did.rewritten,
      did.lone,
      did.trimmed,
      report.failures,
      report.expired,
    ])
      expect(times).toBeGreaterThan(0)
    expect(report.xsrfRefusals).toBeGreaterThan(0)
    expect(did.largestTie).toBeGreaterThan(150)
    expect(report.deaths).toBeGreaterThan(0)
    for (const lost of beside.lost(model)) expect(lost).toBeGreaterThan(50)
  },
  120_000,
)

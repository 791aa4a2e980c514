/** A scripted run of a busy RaaS with everything that goes wrong at once, counted against what the server showed. */
import { afterEach, expect, test } from 'vitest'
import { makeRig, type Rig, ret, route } from './rig.ts'

let rig: Rig

afterEach(async () => {
  await rig.close()
})

/** Own generator, so that a failing run can be repeated. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 4294967296
  }
}

/** By jid and minion, how many different contents the server ever showed. */
function shown(): Map<string, number> {
  const contents = new Map<string, Set<string>>()
  for (const { jid, minion, content } of rig.sim.record.returns) {
    const key = `${jid}/${minion}`
    contents.set(key, (contents.get(key) ?? new Set()).add(content))
  }
  return new Map([...contents].map(([key, set]) => [key, set.size]))
}

function delivered(): Map<string, number> {
  const counts = new Map<string, number>()
  for (const { subject } of rig.keeper.of('raas.return')) counts.set(subject, (counts.get(subject) ?? 0) + 1)
  return counts
}

// With the job loop beside it, and the tail alone: what one repairs must not hide what the other loses.
test.each([
  [7, true],
  [4711, true],
  [23, false],
])(
  'seed %i, job loop %s: late commits, ties, late and repeated returns, expiry, restarts: all of it, once',
  async (seed, jobs) => {
    const chance = generator(seed)
    const upTo = (n: number): number => Math.floor(chance() * n)
    rig = await makeRig({
      config: { jobs },
      simulator: {
        jwtLifetimeMs: 240_000,
        xsrfRotateEvery: 7,
        missingAfterMs: 300_000,
        writerSkewMs: push => (push % 3 === 0 ? 3000 : 0),
        commitDelayMs: () => (chance() < 0.05 ? 5000 + upTo(35_000) : 0),
      },
    })
    await rig.start()
    let number = 0
    const late: { round: number; jid: string; minion: string }[] = []
    const again: { round: number; jid: string; minion: string; value: number }[] = []
    for (let round = 0; round < 60; round++) {
      for (let push = 0; push < 1 + upTo(3); push++) {
        const size = chance() < 0.6 ? 1 + upTo(8) : 60 + upTo(190)
        const minions = Array.from({ length: size }, () => `m${number++}`)
        const jid = route(rig, minions)
        const present = minions.filter(minion => {
          if (chance() > 0.02) return true
          late.push({ round: round + 10 + upTo(25), jid, minion })
          return false
        })
        if (present.length > 0)
          rig.sim.push(
            'master1',
            present.map(minion => ret(jid, minion, { value: 0 })),
          )
        for (const minion of present) {
          if (chance() < 0.02) again.push({ round: round + 5 + upTo(10), jid, minion, value: upTo(2) })
        }
        await rig.clock.advance(1 + upTo(500))
      }
      for (const { jid, minion } of late.filter(one => one.round === round)) {
        rig.sim.push('master1', [ret(jid, minion, { value: 0 })])
      }
      for (const { jid, minion, value } of again.filter(one => one.round === round)) {
        rig.sim.push('master1', [ret(jid, minion, { value })])
      }
      if (round % 9 === 4) rig.sim.revokeTokens()
      if (round % 11 === 5) rig.sim.forgetXsrf()
      if (round % 20 === 19) await rig.restart()
      else await rig.rounds(1)
    }
    await rig.rounds(12)
    expect(rig.sim.record.returns.length).toBeGreaterThan(5000)
    expect(delivered()).toEqual(shown())
    const started = rig.keeper.of('raas.run.started').map(fact => fact.subject)
    expect(started.sort()).toEqual(jobs ? [...rig.sim.record.runs].sort() : [])
    expect(rig.keeper.of('opswire.gap')).toEqual([])
    expect(rig.keeper.dead).toEqual([])
  },
)

/** One part of the daemon and the bare loop that does the same work, run by turns in one process. */
import { systemClock } from '../src/scheduler/clock.ts'
import { quantile, type Spread, spread } from './figures.ts'

/** Made ready, and not yet run. */
export interface Prepared {
  /** What is measured. `begin` starts the watch anew: what came before it is not counted. */
  run(begin: () => void): Promise<void> | void
  /** Throws unless the work was done whole. */
  end?(): Promise<void> | void
}

export interface Contest {
  readonly name: string
  readonly bareName: string
  readonly events: number
  ours(): Promise<Prepared> | Prepared
  bare(): Promise<Prepared> | Prepared
}

export interface Side {
  readonly perSecond: Spread
  /** Processor time of the process, all threads, µs an event. */
  readonly cpuUs: number
}

export interface ContestRow {
  readonly name: string
  readonly bareName: string
  readonly events: number
  readonly rounds: number
  readonly ours: Side
  readonly bare: Side
  /** Ours by bare in the same round: speed, and processor time the other way round. */
  readonly ratio: Spread
  readonly cpuRatio: number
}

interface Turn {
  readonly perSecond: number
  readonly cpuUs: number
}

/** The first round, which V8 needs to compile, is not counted. Who begins changes from round to round. */
export async function contend(contest: Contest, rounds: number): Promise<ContestRow> {
  const { name, bareName, events } = contest
  const ours: Turn[] = []
  const bare: Turn[] = []
  for (let round = 0; round <= rounds; round++) {
    const sides = [
      { turns: ours, prepare: () => contest.ours() },
      { turns: bare, prepare: () => contest.bare() },
    ]
    if (round % 2 === 1) sides.reverse()
    for (const { turns, prepare } of sides) {
      const turn = await take(await prepare(), events)
      if (round > 0) turns.push(turn)
    }
  }
  return {
    name,
    bareName,
    events,
    rounds,
    ours: sideOf(ours),
    bare: sideOf(bare),
    ratio: spread(ours.map((turn, index) => turn.perSecond / (bare[index]?.perSecond ?? Number.NaN))),
    cpuRatio: sideOf(bare).cpuUs / sideOf(ours).cpuUs,
  }
}

async function take(prepared: Prepared, events: number): Promise<Turn> {
  // The garbage of others is not this turn's.
  globalThis.gc?.()
  let startedMs = systemClock.now()
  let cpu = process.cpuUsage()
  await prepared.run(() => {
    startedMs = systemClock.now()
    cpu = process.cpuUsage()
  })
  const ms = systemClock.now() - startedMs
  const { user, system } = process.cpuUsage(cpu)
  await prepared.end?.()
  return { perSecond: (events * 1000) / ms, cpuUs: (user + system) / events }
}

const sideOf = (turns: readonly Turn[]): Side => ({
  perSecond: spread(turns.map(turn => turn.perSecond)),
  cpuUs: quantile(
    turns.map(turn => turn.cpuUs),
    0.5,
  ),
})

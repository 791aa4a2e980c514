/** What the polls of RaaS cost: requests a minute when nothing happens, and rows a second when it catches up. */
import { systemClock } from '../src/scheduler/clock.ts'
import { ret, routeIn } from '../test/raas/bus.ts'
import { Model } from '../test/raas/model.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
/** A walk ends at 50,000 rows. */
const MOST_ROWS = 40_000
const BATCH = 100

export interface QuietRaas {
  readonly rowsPerSecond: number
  readonly perMinute: number
  /** ret.get_returns, cmd.*, job.get_jobs, and the rest: logins, versions. */
  readonly returns: number
  readonly runs: number
  readonly definitions: number
  readonly others: number
}

export interface RaasPolls {
  readonly quiet: readonly QuietRaas[]
  /** The simulator in the same process, rows of 600 bytes, each batch of 100 one run and one time. */
  readonly catchUp: { readonly rows: number; readonly requests: number; readonly rowsPerSecond: number }
}

const start = (): Promise<Model> => Model.start({ seed: 1, returns: 0, jobs: true, calm: true })

function batch({ sim }: Model, size: number, number: number): void {
  const minions = Array.from({ length: size }, (_, n) => `m${number * size + n}`)
  const jid = routeIn(sim, minions)
  sim.push(
    'master1',
    minions.map(minion => ret(jid, minion, true)),
  )
}

/** An hour and a half by the source's clock, of which the last hour is counted. */
async function quiet(rowsPerSecond: number): Promise<QuietRaas> {
  const model = await start()
  try {
    const pass = async (ms: number): Promise<void> => {
      for (const end = model.clock.now() + ms; model.clock.now() < end; ) {
        if (rowsPerSecond > 0) batch(model, rowsPerSecond * 10, Math.floor(model.clock.now()))
        await model.pass(10_000)
      }
    }
    await pass(HOUR / 2)
    const before = new Map(model.sim.record.requests)
    await pass(HOUR)
    const perMinute = (wanted: (name: string) => boolean): number =>
      [...model.sim.record.requests]
        .filter(([name]) => wanted(name))
        .reduce((sum, [name, count]) => sum + count - (before.get(name) ?? 0), 0) /
      (HOUR / MINUTE)
    const [all, returns, runs, definitions] = [
      perMinute(() => true),
      perMinute(name => name.startsWith('ret.')),
      perMinute(name => name.startsWith('cmd.')),
      perMinute(name => name.startsWith('job.')),
    ]
    return { rowsPerSecond, perMinute: all, returns, runs, definitions, others: all - returns - runs - definitions }
  } finally {
    await model.close()
  }
}

async function catchUp(rows: number): Promise<RaasPolls['catchUp']> {
  const model = await start()
  try {
    await model.pass(MINUTE)
    await model.leave()
    for (let number = 0; number < rows / BATCH; number++) {
      batch(model, BATCH, number)
      await model.clock.advance(100)
    }
    const returns = (): number => model.sim.record.requests.get('ret.get_returns') ?? 0
    const [asked, began] = [returns(), systemClock.now()]
    model.arrive()
    // Each return, and a run's start and end.
    while (model.store.stats().unacked < rows) await model.idle()
    const seconds = (systemClock.now() - began) / 1000
    const requests = returns() - asked
    await model.pass(MINUTE)
    const told = model.events().filter(event => event.type === 'raas.return')
    if (told.length !== rows || new Set(told.map(event => event.id)).size !== rows) {
      throw new Error(`${told.length} of ${rows} returns`)
    }
    return { rows, requests, rowsPerSecond: rows / seconds }
  } finally {
    await model.close()
  }
}

export async function raasPolls(rows: number): Promise<RaasPolls> {
  const most = Math.floor(Math.min(rows, MOST_ROWS) / BATCH) * BATCH
  return { quiet: [await quiet(0), await quiet(2)], catchUp: await catchUp(Math.max(BATCH, most)) }
}

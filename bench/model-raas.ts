/** The long model run of RaaS: what came of it, as a table. What is lived through, and how it is counted: test/raas/model.ts. */
import { parseArgs } from 'node:util'
import { systemClock } from '../src/scheduler/clock.ts'
import { Model, type ModelReport } from '../test/raas/model.ts'
import { whole } from './whole.ts'

const HELP = `npm run model -- raas [options]
  --returns N   returns that are pushed, at least (100000)
  --seed N      of everything that is left to chance (1)
  --tail-only   without the job loop: what one repairs must not hide what the other loses
  --strays N    every N polls, two returns of no job that become visible beyond the overlap, and beyond a sweep (0: none)
`

/** True when nothing was lost, and nothing told twice. */
export async function modelOfRaas(args: readonly string[]): Promise<boolean> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      returns: { type: 'string', default: '100000' },
      seed: { type: 'string', default: '1' },
      strays: { type: 'string', default: '0' },
      'tail-only': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return true
  }
  const options = {
    ...{ returns: whole('returns', values.returns), seed: whole('seed', values.seed), jobs: !values['tail-only'] },
    // Trims hide what the count would tell: fewer of them where that is looked for.
    ...(values.strays === '0' ? {} : { world: { strayEvery: whole('strays', values.strays), trimEvery: 960 } }),
    say: (text: string): void => void process.stderr.write(`${text}\n`),
  }
  const started = systemClock.now()
  const model = await Model.start(options)
  try {
    const report = await model.run(options)
    process.stdout.write(table(report, (systemClock.now() - started) / 1000))
    return report.lost + report.twice + report.runsLost + report.runsTwice + report.dead === 0
  } finally {
    await model.close()
  }
}

function table(report: ModelReport, seconds: number): string {
  const { did } = report
  const rows: [string, string | number][] = [
    [`raas, seed ${report.seed}, ${report.jobs ? 'tail and jobs' : 'tail alone'}`, ''],
    ['hours of the stand-in / seconds of ours', `${report.hours.toFixed(1)} / ${seconds.toFixed(0)}`],
    ['returns pushed / of no job', `${report.returns} / ${did.lone}`],
    ['pushes / of one time for several / largest', `${did.pushes} / ${did.ties} / ${did.largestTie}`],
    ['pushes that became visible 5 to 40 s late', did.lateCommits],
    ['returns that became visible 4 to 44, and 75 to 105 min late', did.strays],
    ['jobs that answered 1 to 2 hours late', did.lateJobs],
    ['returns written again', did.rewritten],
    ['trims / rows trimmed', `${did.trims} / ${did.trimmed}`],
    ['requests / failed by 503 or reset', `${report.requests} / ${report.failures}`],
    [
      'logins / calls with a dead token / with a dead XSRF token',
      `${report.logins} / ${report.expired} / ${report.xsrfRefusals}`,
    ],
    ['deaths of the daemon / sessions', `${report.deaths} / ${report.sessions}`],
    ['returns owed (different contents)', report.owed],
    ['in the store', report.delivered],
    ['lost', report.lost],
    ['twice', report.twice],
    ['runs / started events lost / twice', `${report.runs} / ${report.runsLost} / ${report.runsTwice}`],
    [
      'found afterwards (feed_recovered) / gap events / dead letters',
      `${report.recovered} / ${report.gaps} / ${report.dead}`,
    ],
  ]
  const width = Math.max(...rows.map(([name]) => name.length))
  return `${rows.map(([name, value]) => `| ${name.padEnd(width)} | ${String(value).padStart(22)} |`).join('\n')}\n`
}

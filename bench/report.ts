/** The tables of each part, as docs/BENCHMARKS.md shows them. */
import type { ContestRow } from './contest.ts'
import type { Latency } from './latency.ts'
import { machineLine } from './machine.ts'
import type { ClassRate } from './normalise.ts'
import type { LapProfile } from './profile.ts'
import type { RaasPolls } from './raas.ts'
import { catchUpTable, subscriptionsTable } from './report-life.ts'
import { type Figures, PARTS, type Part, type Result } from './result.ts'
import type { StartUp } from './start-up.ts'
import { type Cells, fixed, mebi, range, ratio, table, whole } from './table.ts'
import type { VcdPolls } from './vcd.ts'
import type { Row } from './whole-way.ts'

/** `result`: for what stands beside the figures of other parts. */
const TABLES: { readonly [P in Part]: (figures: Figures[P], result: Result) => readonly string[] } = {
  start: rows => [startTable(rows)],
  latency: rows => [latencyTable(rows)],
  way: rows => [wholeWayTable(rows)],
  parts: (rows, { way }) => [partsTable(rows, way?.figures ?? [])],
  memory: one => {
    const cells = [one.idleBytes, one.firstBytes, one.secondBytes, one.peakBytes].map(mebi)
    const head = `resident memory, MiB (${one.events} events each)`
    return [table([head, 'idle', 'after the first', 'after the second', 'peak'], [['dist/main.js', ...cells]])]
  },
  subscriptions: rows => [subscriptionsTable(rows)],
  raas: raasTables,
  vcd: vcdTables,
  normalise: rows => [normaliseTable(rows)],
  profile: profileTables,
  catchup: one => [catchUpTable(one)],
}

/** What stands between the marks of a part in the document: when and where it was measured, and its tables. */
export function block(result: Result, part: Part): string {
  const recorded = result[part]
  if (recorded === undefined) return 'Not measured yet.'
  const { date, commit, machine, figures } = recorded
  return [`Measured on ${machineLine(`${date}, commit ${commit}`, machine)}.`, ...tablesOf(part, figures, result)].join(
    '\n\n',
  )
}

/** The type of the figures goes with the name of the part; that much the compiler can't see. */
function tablesOf(part: Part, figures: Figures[Part], result: Result): readonly string[] {
  const make = TABLES[part] as (figures: Figures[Part], result: Result) => readonly string[]
  return make(figures, result)
}

/** All parts that were measured. */
export function report(result: Result): string {
  return `${PARTS.filter(part => result[part] !== undefined)
    .map(part => block(result, part))
    .join('\n\n')}\n`
}

function startTable(rows: readonly StartUp[]): string {
  return table(
    [
      'ms from spawn: median (lowest–highest)',
      'starts',
      'ready',
      'first subscription live',
      'three kinds proved alive',
    ],
    rows.map(one => [
      one.from,
      one.times,
      ...[one.readyMs, one.liveMs, one.threeMs].map(ms => `${whole(ms.median)} (${range(ms)})`),
    ]),
  )
}

function wholeWayTable(rows: readonly Row[]): string {
  const head = [
    'events per second',
    'median',
    'lowest–highest',
    'by bare, smallest',
    'by bare, full size',
    'by bare, stored',
    'CPU s/10,000',
    'nats-server',
    'source',
    'frame B',
    'event B',
    'events × rounds',
  ]
  return table(
    head,
    rows.map(row => [
      row.name,
      whole(row.perSecond.median),
      range(row.perSecond),
      ratio(row.bySmallest),
      ratio(row.byFull),
      ratio(row.byDurable),
      fixed(row.cpuUs / 100, 2),
      fixed(row.natsCpuUs / 100, 2),
      fixed(row.sourceCpuUs / 100, 2),
      whole(row.frameBytes),
      whole(row.eventBytes),
      `${row.events} × ${row.rounds}`,
    ]),
  )
}

function partsTable(rows: readonly ContestRow[], way: readonly Row[]): string {
  return table(
    ['part', 'bare', 'events/s', 'bare', 'by bare', 'CPU µs/event', 'bare', 'by bare', 'events × rounds'],
    [
      ...rows.map(row => [
        row.name,
        row.bareName,
        whole(row.ours.perSecond.median),
        whole(row.bare.perSecond.median),
        ratio(row.ratio),
        fixed(row.ours.cpuUs, 1),
        fixed(row.bare.cpuUs, 1),
        fixed(row.cpuRatio, 2),
        `${row.events} × ${row.rounds}`,
      ]),
      ...allOf(way, 'eventRecord', 'all'),
      ...allOf(way, 'faultInst', 'all with mirror'),
    ],
  )
}

/** The whole way as a row of its parts. */
function allOf(way: readonly Row[], cls: Row['cls'], name: string): Cells[] {
  const ours = way.find(row => row.cls === cls && row.course === 'whole way')
  const bare = way.find(row => row.cls === cls && row.course === 'smallest')
  if (ours === undefined || bare === undefined) return []
  return [
    [
      name,
      'bare loop, smallest envelope',
      whole(ours.perSecond.median),
      whole(bare.perSecond.median),
      ratio(ours.bySmallest),
      fixed(ours.cpuUs, 1),
      fixed(bare.cpuUs, 1),
      fixed(bare.cpuUs / ours.cpuUs, 2),
      `${ours.events} × ${ours.rounds}`,
    ],
  ]
}

function profileTables(laps: readonly LapProfile[]): string[] {
  const percent = (part: number | undefined): string => (part === undefined ? '–' : `${fixed(part * 100, 1)} %`)
  const [first] = laps
  const work = laps.map(lap => new Map(lap.work.map(({ name, self }) => [name, self])))
  const names = [...new Set(laps.flatMap(lap => lap.work.map(one => one.name)))]
  return [
    table(
      ['part of the busy time', ...laps.map(lap => lap.cls)],
      names.map(name => [name, ...work.map(shares => percent(shares.get(name)))]),
    ),
    table(
      [`function, ${first?.cls}`, 'self time'],
      (first?.hottest ?? []).map(({ name, self }) => [name, percent(self)]),
    ),
  ]
}

function latencyTable(rows: readonly Latency[]): string {
  return table(
    [
      'ms',
      'events',
      'recorded → acked: p50',
      'p99',
      'max',
      'recorded → in the stream: p50',
      'p99',
      'pushed → in the stream: p50',
      'p99',
    ],
    rows.map(row => [
      `${row.cls} at ${row.perSecond}/s`,
      row.events,
      ...[row.recordedToAcked.p50, row.recordedToAcked.p99, row.recordedToAcked.max].map(whole),
      ...[row.recordedToStored, row.pushedToStored].flatMap(({ p50, p99 }) => [whole(p50), whole(p99)]),
    ]),
  )
}

function raasTables({ quiet, catchUp }: RaasPolls): string[] {
  const rows = quiet.map(one => [
    `${one.rowsPerSecond} rows a second`,
    ...[one.perMinute, one.returns, one.runs, one.definitions, one.others].map(value => fixed(value, 1)),
  ])
  return [
    table(['RaaS, requests a minute', 'all', 'returns', 'runs', 'definitions', 'others'], rows),
    table(
      ['RaaS, catching up', 'rows', 'requests for returns', 'rows/s'],
      [['after an outage', catchUp.rows, catchUp.requests, whole(catchUp.rowsPerSecond)]],
    ),
  ]
}

function vcdTables({ quiet, catchUp }: VcdPolls): string[] {
  const rows = quiet.map(one => [
    `${one.rowsPerSecond} rows a second`,
    ...[one.perMinute, one.pages, one.counts, one.others].map(value => fixed(value, 1)),
  ])
  const { rows: all, requests, pacedRowsPerSecond, rowsPerSecond } = catchUp
  return [
    table(['VCD, requests a minute', 'all', 'pages of the trail', 'counts of hours', 'others'], rows),
    table(
      ['VCD, catching up', 'rows', 'requests', 'rows/s at its own pace', 'rows/s without it'],
      [['after an outage', all, requests, whole(pacedRowsPerSecond), whole(rowsPerSecond)]],
    ),
  ]
}

function normaliseTable(rows: readonly ClassRate[]): string {
  return table(
    ['frames per second, one thread', 'frame B', 'JSON.parse', 'normalised', 'µs/event', 'normalised by JSON.parse'],
    rows.map(row => [
      row.name,
      whole(row.frameBytes),
      whole(row.parsed.median),
      whole(row.normalised.median),
      fixed(1_000_000 / row.normalised.median, 1),
      ratio(row.ratio),
    ]),
  )
}

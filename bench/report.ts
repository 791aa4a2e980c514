/** The result as tables, ready for docs/BENCHMARKS.md. */
import type { Spread } from './figures.ts'
import type { Latency, Quantiles } from './latency.ts'
import { type Machine, machineLine } from './machine.ts'
import type { Memory } from './memory.ts'
import type { ClassRate } from './normalise.ts'
import type { Hot } from './profile.ts'
import type { RaasPolls } from './raas.ts'
import type { StartUp } from './start-up.ts'
import type { VcdPolls } from './vcd.ts'
import type { Row } from './whole-way.ts'

/** A part that was not asked for is undefined. */
export interface Result {
  readonly date: string
  readonly machine: Machine
  readonly wholeWay: readonly Row[] | undefined
  readonly startUp: readonly StartUp[] | undefined
  readonly memory: readonly Memory[] | undefined
  readonly latency: Latency | undefined
  readonly raas: RaasPolls | undefined
  readonly vcd: VcdPolls | undefined
  readonly normalise: readonly ClassRate[] | undefined
  readonly profile: readonly Hot[] | undefined
}

export type Cells = readonly (string | number)[]

export function tables(result: Result): string {
  const parts = [machineLine(result.date, result.machine)]
  if (result.wholeWay !== undefined) parts.push(wholeWayTable(result.wholeWay))
  if (result.startUp !== undefined) {
    const rows = result.startUp.map(one => [one.from, one.times, whole(one.readyMs), whole(one.liveMs)])
    parts.push(table(['start-up, median', 'starts', 'ready, ms', 'first subscription live, ms'], rows))
  }
  if (result.memory !== undefined) {
    const rows = result.memory.map(one => [
      one.from,
      ...[one.idleBytes, one.afterBytes, one.settledBytes, one.peakBytes].map(mebi),
      one.events,
    ])
    parts.push(table(['resident memory, MiB', 'idle', 'after the events', '5 s later', 'peak', 'events'], rows))
  }
  if (result.latency !== undefined) parts.push(latencyTable(result.latency))
  if (result.raas !== undefined) parts.push(...raasTables(result.raas))
  if (result.vcd !== undefined) parts.push(...vcdTables(result.vcd))
  if (result.normalise !== undefined) parts.push(normaliseTable(result.normalise))
  if (result.profile !== undefined) {
    const rows = result.profile.map(one => [one.where, `${(one.self * 100).toFixed(1)} %`])
    parts.push(table(['function', 'self time'], rows))
  }
  return `${parts.join('\n\n')}\n`
}

function wholeWayTable(rows: readonly Row[]): string {
  return table(
    [
      'events per second',
      'median',
      'lowest–highest',
      'by bare',
      'CPU µs/event',
      'nats-server CPU',
      'frame B',
      'event B',
      'events × rounds',
    ],
    rows.map(row => [
      row.name,
      whole(row.perSecond.median),
      range(row.perSecond),
      `${row.ratio.median.toFixed(2)} (${row.ratio.lowest.toFixed(2)}–${row.ratio.highest.toFixed(2)})`,
      whole(row.cpuUs),
      whole(row.natsCpuUs),
      whole(row.frameBytes),
      whole(row.eventBytes),
      `${row.events} × ${row.rounds}`,
    ]),
  )
}

function raasTables({ quiet, catchUp }: RaasPolls): string[] {
  const rows = quiet.map(one => [
    `${one.rowsPerSecond} rows a second`,
    ...[one.perMinute, one.returns, one.runs, one.definitions, one.others].map(value => value.toFixed(1)),
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
    ...[one.perMinute, one.pages, one.counts, one.others].map(value => value.toFixed(1)),
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
      (1_000_000 / row.normalised.median).toFixed(1),
      `${row.ratio.median.toFixed(2)} (${row.ratio.lowest.toFixed(2)}–${row.ratio.highest.toFixed(2)})`,
    ]),
  )
}

function latencyTable({ perSecond, events, pushedToStored, recordedToStored, recordedToAcked }: Latency): string {
  const row = (name: string, { p50, p99, max }: Quantiles): Cells => [
    name,
    p50.toFixed(1),
    p99.toFixed(1),
    max.toFixed(0),
  ]
  return table(
    [`ms at ${perSecond}/s (${events} events)`, 'p50', 'p99', 'max'],
    [
      row('pushed → in the stream', pushedToStored),
      row('recorded → in the stream', recordedToStored),
      [
        'recorded → acked, opswire_delivery_seconds',
        recordedToAcked.p50.toFixed(1),
        recordedToAcked.p99.toFixed(1),
        '–',
      ],
    ],
  )
}

const whole = (value: number): string => (Number.isFinite(value) ? Math.round(value).toString() : '–')
const mebi = (bytes: number): string => whole(bytes / 1024 / 1024)
const range = ({ lowest, highest }: Spread): string => `${whole(lowest)}–${whole(highest)}`

/** A table in Markdown: the first column to the left, the others to the right. */
export function table(head: Cells, rows: readonly Cells[]): string {
  const all = [head, ...rows].map(row => row.map(String))
  const widths = head.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, column) => `${'-'.repeat(width + 1)}${column === 0 ? '-' : ':'}`).join('|')}|`
  const [first = [], ...others] = all
  return [line(first), rule, ...others.map(line)].join('\n')
}

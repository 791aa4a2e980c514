/** Prints, when all is over, what the runs measured. */
import type { Reporter, TestModule } from 'vitest/node'
import type { Row } from './play.ts'

declare module 'vitest' {
  interface TaskMeta {
    /** Heading of the table that this run's row belongs to, and the row. */
    run?: { readonly table: string; readonly row: Row }
  }
}

type Column = readonly [heading: string, cell: (row: Row) => string]

const seconds = (value: number | undefined): string => (value === undefined ? '–' : value.toFixed(1))
const three = (counts: Row['made']): string => `${counts.eventRecord} + ${counts.aaaModLR} + ${counts.faultInst}`

const COLUMNS: readonly Column[] = [
  ['fault', row => row.fault],
  ['subscriptions', row => row.reading],
  ['made: events + audit + faults', row => three(row.made)],
  ['in the stream', row => three(row.found)],
  ['unheard', row => String(row.unheard)],
  ['asked for', row => String(row.asked)],
  ['missing', row => String(row.missing)],
  ['doubled', row => String(row.doubled)],
  ['invented', row => String(row.invented)],
  ['gaps', row => String(row.gaps)],
  ['noticed, s', row => seconds(row.noticedS)],
  ['live, s', row => seconds(row.liveS)],
  ['last in, s', row => seconds(row.lastS)],
]

export function tableOf(rows: readonly Row[]): string {
  const cells = [COLUMNS.map(([heading]) => heading), ...rows.map(row => COLUMNS.map(([, cell]) => cell(row)))]
  const widths = COLUMNS.map((_, column) => Math.max(...cells.map(line => line[column]?.length ?? 0)))
  const line = (of: readonly string[]): string =>
    `| ${of.map((cell, column) => (column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`
  const [head = [], ...body] = cells
  const rule = `|${widths.map((width, column) => (column < 2 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  return [line(head), rule, ...body.map(line)].join('\n')
}

export class TableReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tables = new Map<string, Row[]>()
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const run = test.meta().run
        if (run === undefined) continue
        const rows = tables.get(run.table)
        if (rows === undefined) tables.set(run.table, [run.row])
        else rows.push(run.row)
      }
    }
    for (const [table, rows] of tables) process.stdout.write(`\n${table}\n\n${tableOf(rows)}\n`)
  }
}

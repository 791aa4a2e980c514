/** The listings of runs and returns: cmd.get_cmds, cmd.get_cmd_details, ret.get_returns (raas.md §2.3). */
import { has, inRange, type Keyed, type Kwarg, type MethodContext, page, RpcFailure, textOf } from './page.ts'
import type { ReturnRow, Row, Run } from './tables.ts'

export function getCmds(kwarg: Kwarg, { tables, knobs }: MethodContext): unknown {
  const states = kwarg['state'] as string[] | undefined
  const rows: Keyed[] = []
  const sortBy = textOf(kwarg['sort_by'] ?? 'start_time')
  const among = (name: string, field: string, row: Row): boolean =>
    !has(kwarg, name) || (kwarg[name] as unknown[]).includes(row[field])
  const runs: Iterable<Run> = has(kwarg, 'jid')
    ? [tables.runs.get(textOf(kwarg['jid']))].filter(run => run !== undefined)
    : tables.runs.values()
  for (const run of runs) {
    const row = tables.runRow(run)
    if ((kwarg['filter_find_job'] ?? true) === true && row['fun'] === 'saltutil.find_job') continue
    if ((kwarg['filter_refresh_grains'] ?? true) === true && row['fun'] === 'saltutil.refresh_grains') continue
    if (states !== undefined && states !== null) {
      if (states.includes(String(row['state'])) === (kwarg['state_invert'] === true)) continue
    }
    const equal = ['job_uuid', 'sched_uuid', 'tgt_uuid', 'fun', 'cmd'].every(
      name => !has(kwarg, name) || kwarg[name] === row[name],
    )
    if (!equal || !among('job_names', 'job_name', row) || !among('tgt_names', 'tgt_name', row)) continue
    if (!among('users', 'user', row) || !inRange(run.startMs * 1000, kwarg)) continue
    if (has(kwarg, 'master_id') && !(row['masters_to'] as string[]).includes(textOf(kwarg['master_id']))) continue
    if (has(kwarg, 'highstate') && row['is_highstate'] !== kwarg['highstate']) continue
    const value = row[sortBy]
    rows.push({ row, key: typeof value === 'number' ? value : textOf(value) })
  }
  return page(rows, { ...kwarg, reverse: kwarg['reverse'] ?? true }, knobs, tables, true)
}

export function getCmdDetails(kwarg: Kwarg, { tables, knobs, user }: MethodContext): unknown {
  const jid = textOf(kwarg['jid'])
  const run = tables.runs.get(jid)
  const whole = has(kwarg, 'minion_id_exact')
  const minions = new Map(run?.targets ?? [])
  const returns = new Map<string, ReturnRow>()
  for (const row of tables.returnsOf(jid)) {
    returns.set(row.minion, row)
    minions.set(row.minion, row.master)
  }
  const rows: Keyed[] = []
  for (const [minion, master] of minions) {
    const found = returns.get(minion)
    const row: Row = {
      minion_id: minion,
      master_id: master,
      has_return: found !== undefined,
      has_errors: found?.hasErrors ?? false,
      alter_time: found?.row['alter_time'] ?? null,
      ...(whole && found !== undefined ? { full_ret: found.row['full_ret'], return: found.row['return'] } : {}),
    }
    if (whole && minion !== kwarg['minion_id_exact']) continue
    if (user.sees?.(minion) === false) continue
    if (has(kwarg, 'minion_id') && !minion.includes(textOf(kwarg['minion_id']))) continue
    if (has(kwarg, 'master_id') && !master.includes(textOf(kwarg['master_id']))) continue
    if (has(kwarg, 'has_return') && row['has_return'] !== kwarg['has_return']) continue
    if (has(kwarg, 'has_errors') && row['has_errors'] !== kwarg['has_errors']) continue
    rows.push({ row, key: textOf(row[textOf(kwarg['sort_by'] ?? 'alter_time')]) })
  }
  return page(rows, kwarg, knobs, tables, true)
}

const RETURN_KEYS: Readonly<Record<string, (row: ReturnRow) => string | number>> = {
  alter_time: row => row.alterUs,
  jid: row => row.jid,
  minion_id: row => row.minion,
  master_id: row => row.master,
  has_errors: row => Number(row.hasErrors),
}

/** Columns of the run that a return is of, by the names of the filters and sort fields of ret.get_returns. */
const RUN_COLUMNS = ['job_name', 'job_uuid', 'tgt_name', 'tgt_uuid', 'user'] as const

export function getReturns(kwarg: Kwarg, { tables, knobs, user }: MethodContext): unknown {
  const sortBy = has(kwarg, 'sort_by') ? textOf(kwarg['sort_by']) : undefined
  if (sortBy === 'alter_time' && !knobs.sortByAlterTime) {
    throw new RpcFailure(3000, 'Validation error', { sort_by: ["'alter_time' is not one of the sort fields"] })
  }
  const runOf = (one: ReturnRow): Row => tables.runs.get(one.jid)?.row ?? {}
  const keyOf = (one: ReturnRow): string | number => {
    const own = sortBy === undefined ? undefined : RETURN_KEYS[sortBy]
    if (own !== undefined) return own(one)
    return textOf(RUN_COLUMNS.some(name => name === sortBy) ? runOf(one)[sortBy ?? ''] : one.row['fun'])
  }
  const ofRun = RUN_COLUMNS.filter(name => has(kwarg, name))
  const rows: Keyed[] = []
  let hidden = 0
  for (const one of has(kwarg, 'jid') ? tables.returnsOf(textOf(kwarg['jid'])) : tables.visible()) {
    if (has(kwarg, 'start') && one.jid < textOf(kwarg['start'])) continue
    if (has(kwarg, 'end') && one.jid > textOf(kwarg['end'])) continue
    if (has(kwarg, 'minion_id') && one.minion !== kwarg['minion_id']) continue
    if (has(kwarg, 'master_id') && one.master !== kwarg['master_id']) continue
    if (has(kwarg, 'fun') && one.row['fun'] !== kwarg['fun']) continue
    if (has(kwarg, 'has_errors') && one.hasErrors !== kwarg['has_errors']) continue
    if (ofRun.some(name => runOf(one)[name] !== kwarg[name])) continue
    if (has(kwarg, 'highstate') && (runOf(one)['is_highstate'] ?? false) !== kwarg['highstate']) continue
    if (user.sees?.(one.minion) === false) hidden++
    else rows.push({ row: one.row, key: keyOf(one) })
  }
  return page(rows, kwarg, knobs, tables, sortBy !== undefined, hidden)
}

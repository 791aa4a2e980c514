/** The RPC methods of the stand-in, over its tables. Reading ones page, sort and filter as raas.md §2.3 says. */
import { randomUUID } from 'node:crypto'
import type { Time } from '../server.ts'
import type { RaasKnobs, RaasUser } from './knobs.ts'
import { SCHEMAS, STATES } from './schema.ts'
import type { BusEvent, ReturnRow, Row, Run, Tables } from './tables.ts'
import { stampOf } from './tables.ts'

/** An application error: HTTP stays 200. */
export class RpcFailure extends Error {
  readonly code: number
  readonly detail: unknown
  constructor(code: number, message: string, detail?: unknown) {
    super(message)
    this.code = code
    this.detail = detail
  }
}

export interface MethodContext {
  readonly tables: Tables
  readonly knobs: RaasKnobs
  readonly time: Time
  readonly user: RaasUser
}

type Kwarg = Readonly<Record<string, unknown>>
type Method = (kwarg: Kwarg, context: MethodContext) => unknown

interface Keyed {
  readonly row: Row
  readonly key: string | number
}

const has = (kwarg: Kwarg, name: string): boolean => (kwarg[name] ?? null) !== null
const textOf = (value: unknown): string => (value === null || value === undefined ? '' : String(value))

/** One page. Equal keys come in another order at every query: the database promises none. */
function page(rows: Keyed[], kwarg: Kwarg, knobs: RaasKnobs, tables: Tables, sorted: boolean): Row {
  const asked = Number(kwarg['limit'] ?? 50)
  const size = asked <= 0 ? rows.length : asked
  let ordered = rows
  if (sorted) {
    const sign = kwarg['reverse'] === true ? -1 : 1
    const shuffled = rows.map(entry => ({ entry, luck: tables.chance() }))
    shuffled.sort((a, b) => (a.entry.key === b.entry.key ? a.luck - b.luck : a.entry.key < b.entry.key ? -sign : sign))
    ordered = shuffled.map(({ entry }) => entry)
  }
  const capped = Math.min(size, knobs.pageCap ?? size)
  // A server that caps pages counts its offset in its own pages.
  const from = Number(kwarg['page'] ?? 0) * capped
  const count = Math.max(0, rows.length + knobs.countOff())
  return { count, limit: asked, results: ordered.slice(from, from + capped).map(entry => entry.row) }
}

function inRange(us: number, kwarg: Kwarg): boolean {
  if (!has(kwarg, 'daterange')) return true
  const [from, to] = (kwarg['daterange'] as unknown[]).map(bound => Date.parse(String(bound)) * 1000)
  if (from === undefined || to === undefined || Number.isNaN(from) || Number.isNaN(to)) {
    throw new RpcFailure(3000, 'Invalid daterange', { daterange: ['Two ISO 8601 times are needed'] })
  }
  return us >= from && us <= to
}

/** Minion to master for a target: `{master: {tgt, tgt_type}}`, master `*` for all. */
function resolve(tgt: Row, tables: Tables): Map<string, string> {
  const result = new Map<string, string>()
  for (const [master, spec] of Object.entries(tgt) as [string, { tgt?: unknown; tgt_type?: unknown }][]) {
    for (const [minion, its] of tables.minions) {
      if (master !== '*' && master !== its) continue
      const wanted = spec.tgt
      const hit =
        spec.tgt_type === 'list'
          ? Array.isArray(wanted) && wanted.includes(minion)
          : new RegExp(
              `^${textOf(wanted)
                .replace(/[.+^${}()|[\]\\]/g, '\\$&')
                .replaceAll('*', '.*')}$`,
            ).test(minion)
      if (hit) result.set(minion, its)
    }
  }
  return result
}

function routeCmd(kwarg: Kwarg, { tables, user }: MethodContext): string {
  const job = has(kwarg, 'job_uuid') ? tables.jobs.get(textOf(kwarg['job_uuid'])) : undefined
  if (has(kwarg, 'job_uuid') && job === undefined) throw new RpcFailure(3003, 'Job not found')
  const fun = kwarg['fun'] ?? job?.['fun']
  const cmd = kwarg['cmd'] ?? job?.['cmd']
  if (typeof fun !== 'string' || typeof cmd !== 'string') throw new RpcFailure(3000, 'cmd and fun are needed')
  const target = tables.targets.get(textOf(kwarg['tgt_uuid'] ?? job?.['tgt_uuid']))
  const tgt = (kwarg['tgt'] as Row | undefined) ?? target?.tgt
  const masters = (kwarg['masters'] as string[] | undefined) ?? []
  const targets =
    cmd === 'local' && tgt !== undefined
      ? resolve(tgt, tables)
      : new Map(masters.map(master => [`${master}_master`, master] as const))
  const { jid, us } = has(kwarg, 'jid') ? { jid: textOf(kwarg['jid']), us: tables.nowUs() } : tables.newJid()
  if (tables.runs.has(jid)) throw new RpcFailure(3000, 'jid exists already')
  const to = [...new Set(targets.values())]
  tables.addRun({
    jid,
    startMs: us / 1000,
    targets,
    state: 'new',
    retrieved: false,
    row: {
      jid,
      cmd,
      fun,
      is_highstate: fun === 'state.apply' || fun === 'state.highstate',
      start_time: `${stampOf(us)}Z`,
      create_time: `${stampOf(us)}Z`,
      duration: null,
      job_uuid: job?.['uuid'] ?? null,
      job_name: job?.['name'] ?? null,
      job_desc: job?.['desc'] ?? null,
      job_source: 'raas',
      origination: 'Ad-Hoc',
      sched_uuid: null,
      sched_name: null,
      tgt_uuid: target?.uuid ?? null,
      tgt_name: target?.name ?? null,
      tgt_desc: null,
      masters_to: to,
      user: user.username,
      user_uuid: '80c6f2e2-0000-4000-8000-000000000001',
    },
  })
  return jid
}

function getCmds(kwarg: Kwarg, { tables, knobs }: MethodContext): unknown {
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

function getCmdDetails(kwarg: Kwarg, { tables, knobs }: MethodContext): unknown {
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

function getReturns(kwarg: Kwarg, { tables, knobs }: MethodContext): unknown {
  const sortBy = has(kwarg, 'sort_by') ? textOf(kwarg['sort_by']) : undefined
  if (sortBy === 'alter_time' && !knobs.sortByAlterTime) {
    throw new RpcFailure(3000, 'Validation error', { sort_by: ["'alter_time' is not one of the sort fields"] })
  }
  const keyOf = (sortBy === undefined ? undefined : RETURN_KEYS[sortBy]) ?? (one => textOf(one.row['fun']))
  const rows: Keyed[] = []
  for (const one of has(kwarg, 'jid') ? tables.returnsOf(textOf(kwarg['jid'])) : tables.visible()) {
    if (has(kwarg, 'start') && one.jid < textOf(kwarg['start'])) continue
    if (has(kwarg, 'end') && one.jid > textOf(kwarg['end'])) continue
    if (has(kwarg, 'minion_id') && one.minion !== kwarg['minion_id']) continue
    if (has(kwarg, 'master_id') && one.master !== kwarg['master_id']) continue
    if (has(kwarg, 'fun') && one.row['fun'] !== kwarg['fun']) continue
    if (has(kwarg, 'has_errors') && one.hasErrors !== kwarg['has_errors']) continue
    rows.push({ row: one.row, key: keyOf(one) })
  }
  return page(rows, kwarg, knobs, tables, sortBy !== undefined)
}

function saveJob(kwarg: Kwarg, { tables, user }: MethodContext): string {
  const uuid = has(kwarg, 'job_uuid') ? textOf(kwarg['job_uuid']) : randomUUID()
  const before = tables.jobs.get(uuid)
  if (has(kwarg, 'job_uuid') && before === undefined) throw new RpcFailure(3003, 'Job not found')
  const target = tables.targets.get(textOf(kwarg['tgt_uuid']))
  tables.jobs.set(uuid, {
    uuid,
    name: kwarg['name'],
    desc: kwarg['desc'] ?? null,
    cmd: kwarg['cmd'],
    tgt_uuid: target?.uuid ?? null,
    fun: kwarg['fun'],
    arg: kwarg['arg'] ?? { arg: [], kwarg: {} },
    masters: kwarg['masters'] ?? [],
    metadata: {
      auth: {
        owner: { uuid: '8964e9f3-0000-4000-8000-000000000001', config_name: 'internal', username: user.username },
        access: {},
      },
    },
    tgt_name: target?.name ?? null,
  })
  return uuid
}

export const METHODS: Readonly<Record<string, Method>> = {
  'api.get_versions': () => ({ python: '3.11.9', raas: { raas: '8.18.3' }, opts: { customer_id: '43cab1f4' } }),
  'api.discover': kwarg => {
    const include = kwarg['include'] ?? null
    const wanted = Array.isArray(include)
      ? include
      : include === null
        ? ['api', 'constants', 'errors']
        : Object.keys(include)
    const all: Row = {
      api: Object.fromEntries(Object.entries(SCHEMAS).map(([name, schema]) => [name, Object.keys(schema)])),
      constants: { 'command-states': STATES, 'rpc-api-version': 2 },
      errors: { errorcode: { 5000: 'RPC internal server error' } },
    }
    return Object.fromEntries(wanted.map(section => [section, all[section] ?? {}]))
  },
  'test.echo': kwarg => kwarg['message'] ?? null,
  'job.get_jobs': (kwarg, { tables, knobs }) => {
    const same = ['name', 'desc', 'cmd', 'tgt_uuid', 'fun']
    const rows = [...tables.jobs.values()]
      .filter(row => same.every(name => !has(kwarg, name) || kwarg[name] === row[name]))
      .filter(row => !has(kwarg, 'job_uuid') || kwarg['job_uuid'] === row['uuid'])
      .map(row => ({ row, key: textOf(row[textOf(kwarg['sort_by'] ?? 'name')]) }))
    return page(rows, kwarg, knobs, tables, true)
  },
  'job.save_job': saveJob,
  'job.delete_job': (kwarg, { tables }) => tables.jobs.delete(textOf(kwarg['job_uuid'])),
  'tgt.save_target_group': (kwarg, { tables }) => {
    const uuid = textOf(kwarg['tgt_uuid'] ?? randomUUID())
    tables.targets.set(uuid, { uuid, name: textOf(kwarg['name']), tgt: (kwarg['tgt'] as Row | undefined) ?? {} })
    return uuid
  },
  'cmd.get_cmds': getCmds,
  'cmd.get_cmd_details': getCmdDetails,
  'cmd.get_cmd_status': (kwarg, { tables }) =>
    (kwarg['jids'] as unknown[]).map(jid => {
      const run = tables.runs.get(textOf(jid))
      if (run === undefined) return 'not-found'
      return textOf(tables.runRow(run)['state']).startsWith('completed') ? 'complete' : 'running'
    }),
  'cmd.route_cmd': routeCmd,
  'cmd.track_state': (kwarg, { tables }) => {
    const run = tables.runs.get(textOf(kwarg['jid']))
    if (run === undefined) throw new RpcFailure(3003, 'Command not found')
    run.state = textOf(kwarg['state'])
    run.retrieved = run.retrieved || run.state !== 'new'
    for (const minion of (kwarg['minions'] as string[] | undefined) ?? []) {
      run.targets.set(minion, textOf(kwarg['master']))
    }
    return null
  },
  'ret.get_returns': getReturns,
  'ret.get_jid': (kwarg, { tables }) =>
    Object.fromEntries(tables.returnsOf(textOf(kwarg['jid'])).map(row => [row.minion, row.row['full_ret']])),
  'ret.get_jids': (kwarg, { tables }) => {
    const jids = [...tables.runs.keys()].filter(
      jid =>
        (!has(kwarg, 'start') || jid >= textOf(kwarg['start'])) && (!has(kwarg, 'end') || jid <= textOf(kwarg['end'])),
    )
    return has(kwarg, 'limit') && Number(kwarg['limit']) > 0 ? jids.slice(0, Number(kwarg['limit'])) : jids
  },
  'ret.get_load': (kwarg, { tables }) => tables.runs.get(textOf(kwarg['jid']))?.row ?? {},
  // What a master's plugin sends. Its shape is not in the catalogue: here the Salt bus events as they are.
  'ret.save_event': (kwarg, { tables }) => {
    tables.push(textOf(kwarg['master_id']), kwarg['events'] as BusEvent[])
    return null
  },
  'audit.get_audit': (kwarg, { tables, knobs }) => {
    const sortBy = textOf(kwarg['sort_by'] ?? 'start_time')
    const rows = tables.audit
      .filter(({ row, startUs }) => {
        const same = ['username', 'event_type', 'event_name', 'failed', 'session_uuid']
        return same.every(name => !has(kwarg, name) || kwarg[name] === row[name]) && inRange(startUs, kwarg)
      })
      .map(({ row, startUs }) => ({ row, key: sortBy === 'start_time' ? startUs : textOf(row[sortBy]) }))
    return page(rows, kwarg, knobs, tables, true)
  },
}

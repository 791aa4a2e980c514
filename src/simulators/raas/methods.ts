/** The RPC methods of the stand-in, over its tables. Reading ones page, sort and filter as raas.md §2.3 says. */
import { randomUUID } from 'node:crypto'
import { getCmdDetails, getCmds, getReturns } from './listings.ts'
import { has, inRange, type Kwarg, type Method, type MethodContext, page, RpcFailure, textOf } from './page.ts'
import { SCHEMAS, STATES } from './schema.ts'
import type { BusEvent, Row, Tables } from './tables.ts'
import { stampOf } from './tables.ts'

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

function isMinion(kwarg: Kwarg, minion: string, master: string): boolean {
  if (has(kwarg, 'minion_id') && kwarg['minion_id'] !== minion) return false
  return !has(kwarg, 'master_id') || kwarg['master_id'] === master
}

export const METHODS: Readonly<Record<string, Method>> = {
  'api.get_versions': (_kwarg, { knobs }) => ({
    python: '3.11.9',
    raas: { raas: knobs.version },
    opts: { customer_id: '43cab1f4' },
  }),
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
  'minions.get_minion_cache': (kwarg, { tables, knobs, user }) => {
    const rows = [...tables.minions]
      .filter(([minion, master]) => user.sees?.(minion) !== false && isMinion(kwarg, minion, master))
      .map(([minion, master]) => ({
        row: {
          ...{ minion_id: minion, master_id: master, master_uuid: `5c56aaaa-0000-4000-8000-${master.length}` },
          ...{ grains: { id: minion, os: 'Debian', osrelease: '12' }, pillar: {}, alter_time: stampOf(tables.nowUs()) },
        },
        key: minion,
      }))
    return page(rows, { limit: 100, ...kwarg }, knobs, tables, true)
  },
  'minions.get_minion_key_state': (kwarg, { tables, knobs, user }) => {
    const rows = [...tables.minions]
      .filter(([minion, master]) => user.sees?.(minion) !== false && isMinion(kwarg, minion, master))
      .filter(() => !has(kwarg, 'key_state') || kwarg['key_state'] === 'accepted')
      .map(([minion, master]) => ({ row: { minion, master, key_state: 'accepted' }, key: minion }))
    return page(rows, kwarg, knobs, tables, true)
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

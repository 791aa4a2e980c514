/** Argument schemas of the RPC methods: unknown arguments are refused, enums and lengths checked (raas.md §2.3). */

type Type = 'string' | 'integer' | 'boolean' | 'array' | 'object'

interface Argument {
  readonly type: Type
  readonly values?: readonly string[]
  readonly length?: number
  readonly least?: number
  readonly required?: boolean
}

export type Schema = Readonly<Record<string, Argument>>

export const STATES = [
  'new',
  'retrieved',
  'skipped',
  'pausing',
  'paused',
  'resuming',
  'resumed',
  'stopping',
  'stopped',
  'disabled',
  'completed_missing_returns',
  'completed_failures',
  'completed_all_successful',
] as const

const text: Argument = { type: 'string' }
const flag: Argument = { type: 'boolean' }
const list: Argument = { type: 'array' }
const object: Argument = { type: 'object' }
const exactJid: Argument = { type: 'string', length: 20 }
const oneOf = (...values: string[]): Argument => ({ type: 'string', values })
const paging: Schema = { page: { type: 'integer', least: 0 }, limit: { type: 'integer', least: -1 }, reverse: flag }
const cmdType = oneOf('local', 'runner', 'wheel')

export const SCHEMAS: Readonly<Record<string, Schema>> = {
  'api.get_versions': {},
  // A list of sections, or an object of sub-sections: checked by the method.
  'api.discover': { include: object },
  'test.echo': { message: text },
  'job.get_jobs': {
    ...paging,
    job_uuid: text,
    name: text,
    desc: text,
    cmd: cmdType,
    tgt_uuid: text,
    role_uuid: text,
    include_no_tgt_jobs: flag,
    fun: text,
    masters: list,
    sort_by: oneOf('name', 'desc', 'cmd', 'fun'),
  },
  'job.save_job': {
    name: { type: 'string', required: true },
    desc: text,
    cmd: { ...cmdType, required: true },
    fun: { type: 'string', required: true },
    arg: object,
    tgt_uuid: text,
    masters: list,
    job_uuid: text,
  },
  'job.delete_job': { job_uuid: { type: 'string', required: true } },
  'tgt.save_target_group': { name: { type: 'string', required: true }, desc: text, tgt: object, tgt_uuid: text },
  'cmd.get_cmds': {
    ...paging,
    daterange: list,
    daterange_fmt: text,
    jid: text,
    master_id: text,
    state: { type: 'array', values: STATES },
    state_invert: flag,
    job_uuid: text,
    job_names: list,
    sched_uuid: text,
    sched_names: list,
    tgt_uuid: text,
    tgt_names: list,
    fun: text,
    highstate: flag,
    cmd: cmdType,
    users: list,
    include_adhoc_scheduled: oneOf('all', 'scheduled', 'adhoc'),
    filter_find_job: flag,
    filter_refresh_grains: flag,
    sort_by: oneOf(
      ...['state', 'cmd', 'fun', 'tgt_name', 'job_name', 'sched_name', 'start_time', 'create_time', 'not_returned'],
      ...['user', 'expected', 'returned', 'returned_failed', 'returned_good', 'origination'],
    ),
  },
  'cmd.get_cmd_details': {
    ...paging,
    jid: { ...exactJid, required: true },
    minion_id_exact: text,
    minion_id: text,
    master_id: text,
    has_errors: flag,
    has_return: flag,
    sort_by: oneOf('alter_time', 'minion_id', 'master_id', 'has_errors', 'has_return'),
  },
  'cmd.get_cmd_status': { jids: { type: 'array', required: true } },
  'cmd.route_cmd': {
    job_uuid: text,
    cmd: cmdType,
    fun: text,
    masters: list,
    arg: object,
    tgt: object,
    tgt_uuid: text,
    jid: text,
    disposition: list,
  },
  'cmd.track_state': {
    jid: { ...exactJid, required: true },
    master: { type: 'string', required: true },
    state: { type: 'string', required: true },
    minions: list,
    create_time: text,
  },
  'ret.get_returns': {
    ...paging,
    jid: text,
    master_id: text,
    minion_id: text,
    fun: text,
    user: text,
    job_name: text,
    job_uuid: text,
    tgt_name: text,
    tgt_uuid: text,
    match_tgt_uuid: text,
    args: text,
    highstate: flag,
    start: exactJid,
    end: exactJid,
    has_errors: flag,
    sort_by: oneOf('minion_id', 'master_id', 'fun', 'has_errors', 'jid', 'job_name', 'tgt_name', 'user', 'alter_time'),
  },
  'ret.get_jid': { jid: { ...exactJid, required: true }, master_id: text },
  'ret.get_jids': { start: exactJid, end: exactJid, limit: { type: 'integer', least: -1 } },
  'ret.get_load': { master_id: text, jid: { ...exactJid, required: true } },
  'ret.save_event': { master_id: { type: 'string', required: true }, events: { type: 'array', required: true } },
  'minions.get_minion_cache': {
    ...paging,
    master_id: text,
    minion_id: text,
    tgt_uuid: text,
    sort_by: oneOf('alter_time'),
  },
  'minions.get_minion_key_state': { ...paging, master_id: text, key_state: text },
  'audit.get_audit': {
    ...paging,
    account_uuid: text,
    username: text,
    session_uuid: text,
    event_type: oneOf('system', 'auth', 'rpc', 'task'),
    event_name: text,
    failed: flag,
    daterange: list,
    elapsed_msec_min: { type: 'integer' },
    elapsed_msec_max: { type: 'integer' },
    sort_by: oneOf('username', 'event_type', 'event_name', 'failed', 'start_time', 'end_time', 'elapsed_msec'),
  },
}

function fits(type: Type, value: unknown): boolean {
  if (type === 'integer') return Number.isInteger(value)
  if (type === 'array') return Array.isArray(value)
  if (type === 'object') return typeof value === 'object'
  return typeof value === type
}

/** What is wrong with the arguments, by argument name; undefined when they fit. `null` stands for not given. */
export function refusals(
  schema: Schema,
  kwarg: Readonly<Record<string, unknown>>,
): Record<string, string[]> | undefined {
  const wrong: Record<string, string[]> = {}
  for (const [name, value] of Object.entries(kwarg)) {
    const argument = Object.hasOwn(schema, name) ? schema[name] : undefined
    if (argument === undefined) {
      wrong[name] = [`Additional properties are not allowed ('${name}' was unexpected)`]
      continue
    }
    if (value === null) continue
    if (!fits(argument.type, value)) wrong[name] = [`${JSON.stringify(value)} is not of type '${argument.type}'`]
    else if (argument.values !== undefined) {
      const strange = (Array.isArray(value) ? value : [value]).find(one => !argument.values?.includes(one))
      if (strange !== undefined) wrong[name] = [`'${strange}' is not one of ${JSON.stringify(argument.values)}`]
    } else if (argument.length !== undefined && (value as string).length !== argument.length) {
      wrong[name] = [`'${value}' must have exactly ${argument.length} characters`]
    } else if (argument.least !== undefined && (value as number) < argument.least) {
      wrong[name] = [`${value} is less than the minimum of ${argument.least}`]
    }
  }
  for (const [name, argument] of Object.entries(schema)) {
    if (argument.required === true && (kwarg[name] ?? null) === null) wrong[name] = ['Missing data for required field.']
  }
  return Object.keys(wrong).length > 0 ? wrong : undefined
}

/** `opswire query` to RaaS: one method that only reads, page after page. */
import type { RaasConfig } from '../config/sources.ts'
import { Fatal } from '../errors.ts'
import { READING_METHODS, type ReadingMethod, RpcError } from '../subscribers/raas/client.ts'
import { isPaged, RaasQuestions, readingMethod } from '../subscribers/raas/questions.ts'
import { isRow, numberOf, pageOf } from '../subscribers/raas/rows.ts'
import { UsageError } from './io.ts'
import type { Asking, Question } from './query.ts'
import type { Row, Rows } from './rows.ts'
import { hintOf, wholeNumber } from './values.ts'

type Kwarg = Readonly<Record<string, unknown>>

/** Rows that are shown at once: the first of them decide on the columns. */
const TOGETHER = 200

/** What people look for first, by method; of anything else, what its rows hold. */
const COLUMNS: Partial<Record<ReadingMethod, readonly string[]>> = {
  'job.get_jobs': ['name', 'cmd', 'fun', 'tgt_name', 'uuid', 'desc'],
  'cmd.get_cmds': ['start_time', 'state', 'fun', 'tgt_name', 'user', 'expected', 'returned', 'returned_failed', 'jid'],
  'cmd.get_cmd_details': ['minion_id', 'master_id', 'has_return', 'has_errors', 'alter_time'],
  'ret.get_returns': ['alter_time', 'minion_id', 'fun', 'has_errors', 'jid', 'return'],
  'minions.get_minion_key_state': ['minion', 'master', 'key_state'],
  'audit.get_audit': ['start_time', 'username', 'event_type', 'event_name', 'failed', 'elapsed_msec'],
}

/** What makes a row of a listing this row, whatever else of it changes while the pages are read. */
const NAMES: Partial<Record<ReadingMethod, readonly string[]>> = {
  'job.get_jobs': ['uuid'],
  'cmd.get_cmds': ['jid'],
  'cmd.get_cmd_details': ['minion_id', 'master_id'],
  'ret.get_returns': ['jid', 'minion_id', 'master', 'alter_time'],
  'minions.get_minion_cache': ['minion_id', 'master_id'],
  'minions.get_minion_key_state': ['minion', 'master'],
  'audit.get_audit': ['id'],
}

/** Checks the method and its arguments. Throws `UsageError`. */
export function raasQuestion(config: RaasConfig, asking: Asking): Question {
  const { given } = asking
  const { method, kwarg } = wanted(asking)
  const page = wholeNumber(given, 'page', 0)
  const size = wholeNumber(given, 'page-size', 1)
  if ((page !== undefined || size !== undefined) && !isPaged(method)) {
    throw new UsageError(`--page and --page-size: ${method} does not answer in pages`, 'query')
  }
  if (size !== undefined && page === undefined) {
    throw new UsageError('--page-size goes with --page; without it everything is read', 'query')
  }
  return async () => {
    const { clock, report, signal } = asking
    const questions = new RaasQuestions(config, { clock, report, signal })
    try {
      if (given.has('count')) await count(questions, method, kwarg, asking)
      else if (!isPaged(method)) await whole(questions, method, kwarg, asking)
      else if (page !== undefined || 'page' in kwarg || 'limit' in kwarg) {
        const paging = { ...(page === undefined ? {} : { page }), ...(size === undefined ? {} : { limit: size }) }
        await onePage(questions, method, { ...kwarg, ...paging }, asking)
      } else await all(questions, method, kwarg, asking)
    } catch (error) {
      if (!(error instanceof RpcError)) throw error
      if (error.refusal === 'argument') throw new UsageError(`${config.name}: ${error.message}`, 'query')
      throw error.refusal === 'permission' ? new Fatal('permission', error.message) : error
    } finally {
      await questions.close()
    }
  }
}

/** The method and its arguments: by name, as sseapiclient calls it, or the body of the guide's curl. */
function wanted({ words, given }: Asking): { method: ReadingMethod; kwarg: Kwarg } {
  const [first, extra] = words
  if (first === undefined) throw new UsageError(`say which method: ${READING_METHODS.join(', ')}`, 'query')
  if (extra !== undefined) throw new UsageError(`unexpected "${extra}"; arguments go into --kwarg NAME=VALUE`, 'query')
  const body = first.trimStart().startsWith('{') ? callOf(first) : { name: nameOf(first), kwarg: {} }
  const method = readingMethod(body.name)
  if (method === undefined) {
    const hint = hintOf(body.name, READING_METHODS)
    throw new UsageError(`${body.name} is not one of the methods that only read${hint}`, 'query')
  }
  return { method, kwarg: { ...body.kwarg, ...kwargs(given.text('kwargs')), ...kwargOf(given.texts('kwarg')) } }
}

/** `client.api.job.get_jobs()`, as the guide writes it in Python, is `job.get_jobs`. */
function nameOf(word: string): string {
  return word
    .trim()
    .replace(/^(client\.)?api\.(?=\w+\.\w+)/, '')
    .replace(/\(\)$/, '')
}

/** `{"resource": "job", "method": "get_jobs", "kwarg": {}, "args": []}`, the body of the guide's curl. */
function callOf(text: string): { name: string; kwarg: Kwarg } {
  const call = parsed(text, 'the body of a call')
  const { resource, method, kwarg = {}, kwargs: more = {}, arg = [], args = [], riq: _, ...rest } = call
  const strange = Object.keys(rest)[0]
  if (strange !== undefined) {
    throw new UsageError(
      `the body of a call has no "${strange}"${hintOf(strange, ['resource', 'method', 'kwarg'])}`,
      'query',
    )
  }
  if (typeof resource !== 'string' || typeof method !== 'string' || !isRow(kwarg) || !isRow(more)) {
    throw new UsageError('the body of a call is {"resource": "…", "method": "…", "kwarg": {…}}', 'query')
  }
  if ([arg, args].some(list => !Array.isArray(list) || list.length > 0)) {
    throw new UsageError('arguments are given by name: put them into kwarg', 'query')
  }
  return { name: `${resource}.${method}`, kwarg: { ...kwarg, ...more } }
}

function kwargs(text: string | undefined): Kwarg {
  return text === undefined ? {} : parsed(text, '--kwargs')
}

/** `limit=50` is a number, `state=["new"]` a list, `fun=state.apply` a text. */
function kwargOf(pairs: readonly string[]): Kwarg {
  return Object.fromEntries(
    pairs.map(pair => {
      const [, name = '', value = ''] = /^([A-Za-z_]\w*)=(.*)$/s.exec(pair) ?? []
      if (name === '') throw new UsageError(`--kwarg: "${pair}" is not NAME=VALUE`, 'query')
      // A job id is all digits, and longer than a number holds.
      if (/^-?\d{16,}$/.test(value)) return [name, value]
      try {
        return [name, JSON.parse(value) as unknown]
      } catch {
        return [name, value]
      }
    }),
  )
}

function parsed(text: string, what: string): Kwarg {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${what} is not JSON: ${error instanceof Error ? error.message : String(error)}`, 'query')
  }
  if (!isRow(value)) throw new UsageError(`${what} is not a JSON object`, 'query')
  return value
}

async function count(questions: RaasQuestions, method: ReadingMethod, kwarg: Kwarg, asking: Asking): Promise<void> {
  const rows = printer(method, asking)
  const paging = isPaged(method) ? { limit: 1, page: 0 } : {}
  const found = pageOf(await questions.ask(method, { ...kwarg, ...paging }))
  let number = isPaged(method) ? found.count : found.rows.length
  if (number === undefined) {
    number = 0
    for await (const _ of questions.rows(method, kwarg, Number.POSITIVE_INFINITY)) number++
  }
  await rows.say([String(number)])
}

/** An answer that does not come in pages: a list, an object by minion, or one thing. */
async function whole(questions: RaasQuestions, method: ReadingMethod, kwarg: Kwarg, asking: Asking): Promise<void> {
  const rows = printer(method, asking)
  const answer = await questions.ask(method, kwarg)
  const listed = isRow(answer) && !Array.isArray(answer['results']) && !answersByMinion(method)
  const found = listed ? Object.entries(answer).map(([name, value]) => ({ name, value })) : pageOf(answer).rows
  if (asking.given.has('json') && (listed || !(isRow(answer) || Array.isArray(answer)))) {
    return rows.print([{ json: answer, cells: {} }])
  }
  await rows.print((found.length === 0 && !isRow(answer) && !Array.isArray(answer) ? [answer] : found).map(rowOf))
  await rows.total(said(rows.shown, undefined))
}

async function onePage(questions: RaasQuestions, method: ReadingMethod, kwarg: Kwarg, asking: Asking): Promise<void> {
  const rows = printer(method, asking)
  const found = pageOf(await questions.ask(method, kwarg))
  await rows.print(found.rows.map(rowOf))
  await rows.total(said(rows.shown, found.count))
}

async function all(questions: RaasQuestions, method: ReadingMethod, kwarg: Kwarg, asking: Asking): Promise<void> {
  const rows = printer(method, asking)
  // Each page is counted from the front, where new rows come in: some come twice.
  const seen = new Set<string>()
  let held: Row[] = []
  const most = asking.most <= TOGETHER ? asking.most : Number.POSITIVE_INFINITY
  for await (const value of questions.rows(method, kwarg, most)) {
    const name = nameOfRow(method, value)
    if (name !== undefined && seen.has(name)) continue
    if (name !== undefined) seen.add(name)
    held.push(rowOf(value))
    if (rows.shown + held.length >= asking.most) break
    if (held.length < TOGETHER) continue
    await rows.print(held)
    rows.progress(`${rows.shown} rows …`)
    held = []
  }
  await rows.print(held)
  await rows.total(said(rows.shown, undefined, asking.most))
}

function printer(method: ReadingMethod, asking: Asking): Rows {
  return asking.rows(rows => {
    const known = new Set(rows.flatMap(row => Object.keys(row.cells)))
    const usual = (COLUMNS[method] ?? []).filter(name => known.has(name))
    return usual.length > 0 ? usual : [...known]
  })
}

function nameOfRow(method: ReadingMethod, value: unknown): string | undefined {
  const names = NAMES[method]
  if (names === undefined || !isRow(value) || names.some(name => value[name] === undefined)) return undefined
  return JSON.stringify(names.map(name => value[name]))
}

function answersByMinion(method: ReadingMethod): boolean {
  return method === 'ret.get_jid'
}

function rowOf(value: unknown): Row {
  if (!isRow(value)) return { json: value, cells: { value: shownAs(value) } }
  const cells = Object.entries(value).map(([name, inner]) => [name, shownAs(inner)] as const)
  return { json: value, cells: Object.fromEntries(cells) }
}

function shownAs(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** `50 of 8,123 rows` */
function said(shown: number, total: number | undefined, most = Number.POSITIVE_INFINITY): string {
  const all = numberOf(total) ?? shown
  if (all > shown) return `${shown} of ${all} rows`
  return shown >= most ? `${shown} rows (--limit)` : shown === 1 ? '1 row' : `${shown} rows`
}

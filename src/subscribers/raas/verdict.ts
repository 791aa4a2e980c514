/** Did a return fail? Pure. The order and the shapes are raas.md §2.4. */
import { booleanOf, isRow, numberOf, type ReturnRow, type Row } from './rows.ts'

export interface Verdict {
  readonly outcome: 'success' | 'failure' | 'unknown'
  /** Why, in a few words; never text of the return, which may hold anything. */
  readonly reason: string
  /** States of a state run; null for every other return. */
  readonly failed: number | null
  readonly changed: number | null
  readonly total: number | null
  /** Ids of failed states, at most 50. */
  readonly failedStates: readonly string[]
}

type Inputs = Pick<ReturnRow, 'fun' | 'hasErrors' | 'success' | 'retcode' | 'hasBody' | 'body'>

interface Shape {
  readonly failure?: string
  readonly states?: StateCounts
}

interface StateCounts {
  failed: number
  changed: number
  total: number
  readonly ids: string[]
}

const EXCEPTION =
  /^(The minion function caused an exception|Traceback \(most recent|ERROR executing '|Passed invalid arguments|TypeError encountered)/
const MISSING = /^(Module )?'[^']+' is not available/
const MOST_IDS = 50

/** First failing rule wins: has_errors, success and retcode, then what the body says. */
export function verdictOf(row: Inputs): Verdict {
  const shape = row.hasBody ? shapeOf(row, row.body) : {}
  const signs: string[] = []
  if (row.hasErrors === true) signs.push('has_errors')
  if (row.success === false) signs.push('success false')
  if (row.retcode !== null && row.retcode !== 0) signs.push(`retcode ${row.retcode}`)
  if (shape.failure !== undefined) signs.push(shape.failure)
  const { states } = shape
  const counts = {
    failed: states?.failed ?? null,
    changed: states?.changed ?? null,
    total: states?.total ?? null,
    failedStates: states?.ids ?? [],
  }
  if (signs.length > 0) return { outcome: 'failure', reason: signs.join('; '), ...counts }
  if ((!row.hasBody || row.body === null) && row.hasErrors === null && row.success === null && row.retcode === null) {
    return { outcome: 'unknown', reason: 'the row says nothing about it', ...counts }
  }
  return { outcome: 'success', reason: states === undefined ? 'ok' : stateReason(states), ...counts }
}

function stateReason({ failed, changed, total }: StateCounts): string {
  if (failed > 0) return `${failed} of ${total} states failed`
  return changed > 0 ? `ok, ${changed} of ${total} states changed` : `ok, ${total} states`
}

function shapeOf(row: Inputs, body: unknown): Shape {
  const { fun } = row
  if (typeof body === 'string') return textShape(row, body)
  if (body === false && (fun === 'test.ping' || fun.startsWith('saltutil.'))) return { failure: 'returned false' }
  if (Array.isArray(body)) {
    // A state run that could not be compiled answers with its errors instead of its states.
    return fun.startsWith('state.') && isErrors(body) ? { failure: 'state compile error' } : {}
  }
  if (!isRow(body)) return {}
  if (isRow(body['data']) && ('outputter' in body || 'retcode' in body)) return runnerShape(body, body['data'])
  const states = statesOf(body)
  if (states !== undefined) return states.failed > 0 ? { failure: stateReason(states), states } : { states }
  if ('retcode' in body && ('stdout' in body || 'stderr' in body)) return innerRetcode(body)
  return {}
}

function isErrors(body: unknown): boolean {
  return Array.isArray(body) && body.length > 0 && body.every(line => typeof line === 'string')
}

function textShape({ fun, retcode }: Inputs, body: string): Shape {
  // The text of a command is not a verdict as long as there is a retcode.
  if (fun.startsWith('cmd.') && retcode !== null) return {}
  if (EXCEPTION.test(body)) return { failure: 'exception' }
  return MISSING.test(body) ? { failure: 'function not available' } : {}
}

function innerRetcode(body: Row): Shape {
  const retcode = numberOf(body['retcode'])
  return retcode !== null && retcode !== 0 ? { failure: `inner retcode ${retcode}` } : {}
}

/** Runners and orchestrations: one entry for each master, each a state run. */
function runnerShape(body: Row, data: Row): Shape {
  const sum: StateCounts = { failed: 0, changed: 0, total: 0, ids: [] }
  let isCompile = false
  for (const part of Object.values(data)) {
    isCompile ||= isErrors(part)
    const states = isRow(part) ? statesOf(part) : undefined
    if (states === undefined) continue
    sum.failed += states.failed
    sum.changed += states.changed
    sum.total += states.total
    sum.ids.push(...states.ids.slice(0, MOST_IDS - sum.ids.length))
  }
  const states = sum.total > 0 ? { states: sum } : {}
  if (sum.failed > 0) return { failure: stateReason(sum), ...states }
  if (isCompile) return { failure: 'state compile error', ...states }
  return { ...innerRetcode(body), ...states }
}

/** Undefined when it is no state run: keys are `module_|-id_|-name_|-function`, values have a `result`. */
function statesOf(body: Row): StateCounts | undefined {
  // A stray entry of another shape does not make the others less true.
  const entries = Object.entries(body).filter(([key, value]) => key.includes('_|-') && isRow(value))
  if (entries.length === 0) return undefined
  const counts: StateCounts = { failed: 0, changed: 0, total: entries.length, ids: [] }
  for (const [key, value] of entries) {
    const state = value as Row
    if (booleanOf(state['result']) === false) {
      counts.failed++
      if (counts.ids.length < MOST_IDS) counts.ids.push(idOf(key))
    }
    const { changes } = state
    if (isRow(changes) && Object.keys(changes).length > 0) counts.changed++
  }
  return counts
}

/** `file_|-nginx_conf_|-/etc/nginx.conf_|-managed` → `file.managed: nginx_conf`. */
function idOf(key: string): string {
  const parts = key.split('_|-')
  return `${parts[0]}.${parts.at(-1)}: ${parts[1]}`
}

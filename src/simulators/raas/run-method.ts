/** One call of a method: is it there, may this user call it, do its arguments fit its schema (raas.md §2.1, §2.3). */
import { METHODS } from './methods.ts'
import { type MethodContext, RpcFailure } from './page.ts'
import { refusals, SCHEMAS } from './schema.ts'
import type { Row } from './tables.ts'

/** What the method returns. Throws `RpcFailure`. */
export function runMethod(name: string, payload: Row, context: MethodContext): unknown {
  const { knobs, user } = context
  const method = Object.hasOwn(METHODS, name) ? METHODS[name] : undefined
  const schema = SCHEMAS[name]
  if (method === undefined || schema === undefined || knobs.hidden.has(name)) {
    throw new RpcFailure(3001, `Unknown resource or method: ${name}`)
  }
  if (user.methods !== undefined && !user.methods.includes(name)) {
    throw new RpcFailure(3002, `User does not have permission to call ${name}`)
  }
  const positional = [payload['arg'], payload['args']].find(value => Array.isArray(value) && value.length > 0)
  if (positional !== undefined) throw new RpcFailure(3000, 'Positional arguments are not taken here')
  const kwarg = ((payload['kwarg'] ?? payload['kwargs']) as Row | undefined) ?? {}
  const wrong = refusals(schema, kwarg)
  if (wrong !== undefined) throw new RpcFailure(3000, 'Validation error', wrong)
  return method(kwarg, context)
}

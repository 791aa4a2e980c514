/** What administrators do to users in the simulated cloud, and the audit rows that it leaves. */
import type { Act, WriteRow } from './acts.ts'
import { json, jsonError, type Reply, xmlError } from './replies.ts'
import type { User, World } from './world.ts'

const UUID = '[0-9a-f-]{36}'
const USER_PATH = new RegExp(`^/cloudapi/1\\.0\\.0/users/urn:vcloud:user:(${UUID})$`)
const UNLOCK_PATH = new RegExp(`^/api/admin/user/(${UUID})/action/unlock$`)

/** Disabling, enabling, deleting and unlocking a user; undefined when it is no such call. */
export function userAct(act: Act, world: World, write: WriteRow): Reply | undefined {
  const { method, path, requestId, session } = act
  const direct = USER_PATH.exec(path)?.[1]
  const unlock = method === 'POST' ? UNLOCK_PATH.exec(path)?.[1] : undefined
  const id = direct ?? unlock
  if (id === undefined || !['PUT', 'DELETE', 'POST'].includes(method)) return undefined
  const forbidden = unlock === undefined ? jsonError : xmlError
  const user = world.users.find(
    one => one.id === id && (one.org.id === session.user.org.id || isProvider(session.user)),
  )
  if (user === undefined) return forbidden(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'No access', requestId)
  const what = unlock !== undefined ? 'unlock' : method === 'DELETE' ? 'delete' : wantedState(act.body)
  if (what === undefined) return jsonError(400, 'BAD_REQUEST', 'enabled must be true or false', requestId)
  const entity = { name: user.name, id: `urn:vcloud:user:${user.id}` }
  const row = { type: `user/${what}`, entity, org: user.org.name }
  // Users are view-only for a session that comes from an API token (the vendor's guide).
  if (session.tokenId !== null) {
    write(act, { ...row, success: false, description: `${row.type} refused: not allowed with an API token` })
    return forbidden(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'This operation is denied', requestId)
  }
  write(act, { ...row, description: `User '${user.name}': ${what}` })
  if (what === 'unlock') user.failures = 0
  else if (what === 'delete') world.removeUser(user)
  else user.enabled = what === 'enable'
  return unlock !== undefined || what === 'delete'
    ? { status: 204 }
    : json(200, { id: entity.id, enabled: user.enabled })
}

const isProvider = (user: User): boolean => user.org.name === 'System'

function wantedState(body: string): 'enable' | 'disable' | undefined {
  try {
    const { enabled } = JSON.parse(body) as { enabled?: unknown }
    return typeof enabled === 'boolean' ? (enabled ? 'enable' : 'disable') : undefined
  } catch {
    return undefined
  }
}

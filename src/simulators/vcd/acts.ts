/** What people and automation do in the simulated cloud, and the audit rows that each act leaves. */
import { json, jsonError, type Reply, sourceName, taskXml, xmlError } from './replies.ts'
import type { CellSession } from './sessions.ts'
import type { RowSeed, Trail } from './trail.ts'
import { userAct } from './user-acts.ts'
import type { Vm, World } from './world.ts'

export interface Act {
  readonly method: string
  readonly path: string
  readonly body: string
  readonly session: CellSession
  readonly version: string
  readonly publicUrl: string
  readonly requestId: string
}

/** Writes a row with the session that did it, and the API token that the session came from. */
export type WriteRow = (act: Act, seed: Pick<RowSeed, 'type' | 'entity'> & Partial<RowSeed>) => void

const POWER: Readonly<Record<string, { from: Vm['status'][]; to: Vm['status'] }>> = {
  powerOn: { from: ['POWERED_OFF', 'SUSPENDED'], to: 'POWERED_ON' },
  powerOff: { from: ['POWERED_ON', 'SUSPENDED'], to: 'POWERED_OFF' },
  shutdown: { from: ['POWERED_ON'], to: 'POWERED_OFF' },
  suspend: { from: ['POWERED_ON'], to: 'SUSPENDED' },
  reset: { from: ['POWERED_ON'], to: 'POWERED_ON' },
  reboot: { from: ['POWERED_ON'], to: 'POWERED_ON' },
}

const UUID = '[0-9a-f-]{36}'
const POWER_PATH = new RegExp(`^/api/vApp/vm-(${UUID})/power/action/([A-Za-z]+)$`)
const VM_PATH = new RegExp(`^/api/vApp/vm-(${UUID})$`)
const RECOMPOSE_PATH = new RegExp(`^/api/vApp/vapp-(${UUID})/action/recomposeVApp$`)
const ROLE_PATH = new RegExp(`^/cloudapi/1\\.0\\.0/roles/urn:vcloud:role:(${UUID})$`)
const ORG_PATH = new RegExp(`^/cloudapi/1\\.0\\.0/orgs/urn:vcloud:org:(${UUID})$`)

export class Acts {
  readonly #world: World
  readonly #trail: Trail

  constructor(world: World, trail: Trail) {
    this.#world = world
    this.#trail = trail
  }

  /** Does what the request asks; undefined when it is no acting call. */
  handle(act: Act): Reply | undefined {
    const { method, path } = act
    const power = POWER_PATH.exec(path)
    if (method === 'POST' && power !== null) return this.#power(act, power[1] ?? '', power[2] ?? '')
    const vm = VM_PATH.exec(path)
    if (method === 'DELETE' && vm !== null) return this.#deleteVm(act, vm[1] ?? '')
    const vapp = RECOMPOSE_PATH.exec(path)
    if (method === 'POST' && vapp !== null) return this.#createVm(act, vapp[1] ?? '')
    if (method === 'POST' && path === '/cloudapi/1.0.0/users') return this.#createUser(act)
    if (method === 'GET' && path === '/cloudapi/1.0.0/roles') return this.#roles(act)
    const role = ROLE_PATH.exec(path)
    if (method === 'PUT' && role !== null) return this.#modifyRole(act, role[1] ?? '')
    const org = ORG_PATH.exec(path)
    if (method === 'PUT' && org !== null) return this.#modifyOrg(act, org[1] ?? '')
    return userAct(act, this.#world, (by, row) => this.#row(by, row))
  }

  /** Each row carries the session that did it, and the API token that the session came from. */
  #row(act: Act, seed: Pick<RowSeed, 'type' | 'entity'> & Partial<RowSeed>, afterMs = 0): void {
    const { user, tokenId, id, clientAddress } = act.session
    this.#trail.write({
      afterMs,
      user: user.name,
      userId: user.id,
      org: user.org.name,
      userOrg: user.org.name,
      roles: user.roles,
      tokenId,
      sessionId: id,
      clientAddress,
      ...seed,
    })
  }

  /** The machine, if this session may see it: for others it does not exist, which is a 403 here. */
  #vm(act: Act, id: string): Vm | undefined {
    const { org } = act.session.user
    return this.#world.vms.find(vm => vm.id === id && (org.name === 'System' || vm.org.id === org.id))
  }

  #task(act: Act, vm: Vm, type: string, success: boolean, operation: string): Reply {
    const taskId = this.#world.uuid()
    const entity = { name: vm.name, id: `urn:vcloud:vm:${vm.id}` }
    const task = { name: operation, id: `urn:vcloud:task:${taskId}` }
    const org = vm.org.name
    this.#row(act, { type: 'task/create', entity: task, org, taskId })
    // A task takes its time: its rows are some milliseconds apart.
    this.#row(act, { type: 'task/start', entity: task, org, taskId }, 4)
    const done: Partial<RowSeed> & Pick<RowSeed, 'type' | 'entity'> = {
      type,
      entity,
      org,
      taskId,
      success,
      description: `${operation} of VM '${vm.name}'${success ? '' : ' failed: not possible in its power state'}`,
      properties: {
        'vm.id': vm.id,
        'vm.vcpuCount': 2,
        'vm.defaultStorageProfileName': null,
        'vm.state': vm.status,
        entity,
      },
    }
    this.#row(act, done, 19)
    this.#row(act, { type: success ? 'task/complete' : 'task/fail', entity: task, org, taskId, success }, 23)
    if (success) return taskXml(taskId, operation, act.version, act.publicUrl)
    const why = `The requested operation on VM "${vm.name}" is not possible in state ${vm.status}`
    return xmlError(400, 'BAD_REQUEST', why, act.requestId)
  }

  #power(act: Act, id: string, action: string): Reply {
    const vm = this.#vm(act, id)
    const change = Object.hasOwn(POWER, action) ? POWER[action] : undefined
    if (vm === undefined) return xmlError(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'No access to entity', act.requestId)
    if (change === undefined) return xmlError(404, 'NOT_FOUND', `no action ${action}`, act.requestId)
    const possible = change.from.includes(vm.status)
    if (possible) vm.status = change.to
    return this.#task(act, vm, 'vm/change_state', possible, action)
  }

  #deleteVm(act: Act, id: string): Reply {
    const vm = this.#vm(act, id)
    if (vm === undefined) return xmlError(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'No access to entity', act.requestId)
    const possible = vm.status !== 'POWERED_ON'
    if (possible) this.#world.vms.splice(this.#world.vms.indexOf(vm), 1)
    return this.#task(act, vm, 'vm/delete', possible, 'delete')
  }

  #createVm(act: Act, vappId: string): Reply {
    const name = sourceName(act.body)
    if (name === undefined) return xmlError(400, 'BAD_REQUEST', 'SourcedItem without a Source name', act.requestId)
    const vm = this.#world.addVm(name, act.session.user.org)
    this.#row(act, { type: 'vapp/modify', entity: { name: 'app', id: `urn:vcloud:vapp:${vappId}` } })
    return this.#task(act, vm, 'vm/create', true, 'recompose')
  }

  /** Users, groups, roles and rights are view-only for a session that comes from an API token (the vendor's guide). */
  #refusedToken(act: Act, type: string, entity: RowSeed['entity']): Reply | undefined {
    if (act.session.tokenId === null) return undefined
    this.#row(act, { type, entity, success: false, description: `${type} refused: not allowed with an API token` })
    return jsonError(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'This operation is denied', act.requestId)
  }

  #createUser(act: Act): Reply {
    const name = stringMember(act.body, 'username')
    if (name === undefined) return jsonError(400, 'BAD_REQUEST', 'username is required', act.requestId)
    const refused = this.#refusedToken(act, 'user/create', { name, id: null })
    if (refused !== undefined) return refused
    const { org } = act.session.user
    const user = this.#world.addUser({ name, org: org.name, password: '', roles: 'vApp Author' })
    const id = `urn:vcloud:user:${user.id}`
    this.#row(act, { type: 'user/create', entity: { name, id }, description: `User '${name}' created` })
    return json(201, { id, username: name, orgEntityRef: { name: org.name, id: `urn:vcloud:org:${org.id}` } })
  }

  #roles(act: Act): Reply {
    const own = this.#world.roles.filter(role => role.org.id === act.session.user.org.id)
    const values = own.map(({ id, name }) => ({ id: `urn:vcloud:role:${id}`, name }))
    return json(200, { resultTotal: values.length, pageCount: 1, page: 1, pageSize: 25, associations: null, values })
  }

  #modifyRole(act: Act, id: string): Reply {
    const role = this.#world.roles.find(one => one.id === id && one.org.id === act.session.user.org.id)
    if (role === undefined) return jsonError(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'No access', act.requestId)
    const entity = { name: role.name, id: `urn:vcloud:role:${id}` }
    const refused = this.#refusedToken(act, 'role/modify', entity)
    if (refused !== undefined) return refused
    role.name = stringMember(act.body, 'name') ?? role.name
    this.#row(act, {
      type: 'role/modify',
      entity: { ...entity, name: role.name },
      description: `Role '${role.name}' modified`,
    })
    return json(200, { id: entity.id, name: role.name })
  }

  #modifyOrg(act: Act, id: string): Reply {
    const org = this.#world.orgs.find(one => one.id === id)
    if (org === undefined || act.session.user.org.name !== 'System') {
      return jsonError(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'No access', act.requestId)
    }
    const entity = { name: org.name, id: `urn:vcloud:org:${org.id}` }
    this.#row(act, { type: 'org/modify', entity, org: org.name, description: `Organization '${org.name}' modified` })
    return json(200, { id: entity.id, name: org.name })
  }
}

function stringMember(body: string, name: string): string | undefined {
  try {
    const value: unknown = (JSON.parse(body) as Record<string, unknown>)[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  } catch {
    return undefined
  }
}

/** The API's calls, apart from HTTP: what each does and what it answers. Every one throws `ApicError` to refuse. */
import type { Accounts, LoginDomain } from './accounts.ts'
import { answerText, type Envelope, type Format, type MoBody, readMo } from './body.ts'
import type { Fabric } from './fabric.ts'
import type { Caller } from './gate.ts'
import type { Knobs } from './knobs.ts'
import { type Query, readQuery } from './query.ts'
import type { ApicRecord, SubscriptionRecord } from './record.ts'
import { ApicError, badQuery } from './refusal.ts'
import { dnOf, type Route, targetOf } from './route.ts'
import { select } from './select.ts'
import type { Session, Sessions } from './sessions.ts'
import type { Sockets } from './sockets.ts'
import type { Subscriptions } from './subscriptions.ts'
import type { Mo } from './tree.ts'
import type { Standing } from './view.ts'

export interface CallOptions {
  readonly fabric: Fabric
  readonly knobs: Knobs
  readonly record: ApicRecord
  readonly accounts: Accounts
  readonly sessions: Sessions
  readonly sockets: Sockets
  readonly subscriptions: Subscriptions
  readonly domains: readonly LoginDomain[]
  readonly refreshTimeoutSeconds: number
  readonly maximumLifetimeSeconds: number
  readonly subscriptionSeconds: number
  readonly maxResults: number
  readonly standing: Standing
  /** `topology/pod-1/node-N` of this controller. */
  readonly node: string
}

export interface Answer {
  readonly text: string
  /** Sent as the cookie. */
  readonly token?: string
  /** The subscription that the answer tells of. */
  readonly subscription?: SubscriptionRecord
}

const NO_SOCKET = 'Subscription request failed, unable to locate opened web socket. Please re-login to the application'

export class Calls {
  readonly #on: CallOptions
  #queries = 0

  constructor(options: CallOptions) {
    this.#on = options
  }

  login(body: string, format: Format, options: Map<string, string>, address: string): Answer {
    const { accounts, sessions, fabric, record } = this.#on
    const { className, attributes } = readMo(body, format)
    const { name, pwd } = attributes
    if (className !== 'aaaUser' || name === undefined || pwd === undefined) {
      throw new ApicError(400, '400', 'aaaLogin takes an aaaUser with name and pwd')
    }
    const told = { at: fabric.time.wall(), user: name }
    try {
      const account = accounts.check(name, pwd)
      const session = sessions.start(account, address, options.get('gui-token-request') === 'yes')
      record.logins.push({ ...told, ok: true, sessionId: session.id })
      this.#logSession({ action: 'login', user: account.name, address, ok: true })
      return this.#loggedIn(session, format)
    } catch (error) {
      record.logins.push({ ...told, ok: false, sessionId: undefined })
      // The log leaves the user empty when there is nobody of that name.
      this.#logSession({ action: 'login', user: accounts.knows(name) ?? '', address, ok: false })
      throw error
    }
  }

  refresh(method: string, body: string, format: Format, { session }: Caller): Answer {
    const { sessions } = this.#on
    if (method === 'POST' && readMo(body, format).className !== 'aaaLogin') {
      throw new ApicError(400, '400', 'aaaRefresh takes aaaLogin, or a GET without a body')
    }
    sessions.refresh(session)
    this.#logSession({ action: 'refresh', user: session.account.name, address: session.address, ok: true })
    return this.#loggedIn(session, format)
  }

  logout(body: string, format: Format, { session }: Caller): Answer {
    const { sessions } = this.#on
    const { className, attributes } = readMo(body, format)
    const name = attributes['name']?.replace(/^apic[:#][^\\]+\\/, '')
    if (className !== 'aaaUser' || name !== session.account.name) {
      throw new ApicError(400, '400', 'aaaLogout takes the aaaUser of the session')
    }
    this.#logSession({ action: 'logout', user: session.account.name, address: session.address, ok: true })
    sessions.logout(session)
    return this.#answer([], format)
  }

  /** The one answer that is flat: no class around the names. */
  domains(format: Format): Answer {
    const { domains } = this.#on
    const list = domains.map(({ name, guiBanner }) => ({ name, ...(guiBanner === undefined ? {} : { guiBanner }) }))
    if (format === 'json') return { text: JSON.stringify({ totalCount: String(list.length), imdata: list }) }
    return this.#answer(
      list.map(attributes => ({ className: 'aaaLoginDomain', attributes: { ...attributes }, children: [] })),
      format,
    )
  }

  subscriptionRefresh(options: Map<string, string>, format: Format, { session }: Caller): Answer {
    const id = options.get('id')
    if (id === undefined) throw badQuery('subscriptionRefresh takes an id')
    this.#on.subscriptions.refresh(session, id)
    return this.#answer([], format, this.#on.knobs.oldAnswers ? {} : { totalCount: 0 })
  }

  /** A GET of objects, with or without a subscription. `url` is the raw request target. */
  async query(route: Route, options: Map<string, string>, caller: Caller, url: string): Promise<Answer> {
    const { fabric, knobs, maxResults, sockets, standing, subscriptions, subscriptionSeconds } = this.#on
    const query = readQuery(targetOf(route.path, fabric.model), options, fabric.model)
    const startAt = knobs.unstableOrder ? this.#queries++ : undefined
    const { ceilingCounts, ceilingStatus } = knobs
    const limits = { maxResults, ceilingCounts, ceilingStatus, ...(startAt === undefined ? {} : { startAt }) }
    if (!query.subscribe) {
      const { total, objects } = select(standing.view, query, limits)
      return this.#answer(objects, route.format, { totalCount: total })
    }
    if (query.target.kind === 'tagged' && knobs.tagSubscriptions === 'refused') {
      throw badQuery('A subscription to a tag is not supported')
    }
    const socket = sockets.of(caller.session)
    if (socket === undefined) throw new ApicError(405, '405', NO_SOCKET)
    let lifeMs = subscriptionSeconds * 1000
    if (query.refreshTimeout !== undefined) {
      if (knobs.refreshTimeoutSupport === 'refused') throw badQuery('Invalid query parameter refresh-timeout')
      if (knobs.refreshTimeoutSupport === 'yes') lifeMs = query.refreshTimeout * 1000 * knobs.refreshTimeoutScale
    }
    const { total, objects } = select(standing.view, query, limits)
    const { session, doubled } = caller
    const settledAt = this.#settledAt(query)
    const made = { session, socket, query, format: route.format, lifeMs, muted: doubled, settledAt }
    const { id, log: subscription } = subscriptions.create(made, url)
    await knobs.onSubscribed?.(id, url)
    const answer = doubled
      ? this.#answer([], route.format, { totalCount: 0, subscriptionId: id })
      : this.#answer(objects, route.format, { totalCount: total, subscriptionId: id })
    return { ...answer, subscription }
  }

  /** When the object of a subscribed DN is old enough for its children to be told of, monotonic ms. */
  #settledAt({ target }: Query): number {
    const { fabric, knobs } = this.#on
    const born = target.kind === 'mo' ? fabric.bornAt(target.dn) : undefined
    return born === undefined ? Number.NEGATIVE_INFINITY : born + knobs.settleMs
  }

  post(route: Route, options: Map<string, string>, body: string, caller: Caller): Answer {
    const { fabric, knobs } = this.#on
    const author = this.#author(caller)
    const posted = readMo(body, route.format)
    const changed = fabric.post(dnOf(route.path), posted, author)
    const wanted = options.get('rsp-subtree')
    if (wanted === 'modified') return this.#answer(changed.map(flat), route.format)
    if (wanted === undefined && knobs.postAnswers === 'empty') return this.#answer([], route.format)
    const top = changed.find(mo => mo.className === posted.className)
    return this.#answer(top === undefined ? [] : [{ ...flat(top), children: this.#below(top, changed) }], route.format)
  }

  remove(route: Route, caller: Caller): Answer {
    this.#on.fabric.remove(dnOf(route.path), this.#author(caller))
    return this.#answer([], route.format)
  }

  /** POST adds and removes tags of one object; DELETE takes a tag from everything. */
  tag(method: string, route: Route, options: Map<string, string>, caller: Caller): Answer {
    const { fabric } = this.#on
    const author = this.#author(caller)
    const target = targetOf(route.path, fabric.model)
    const names = (option: string): string[] => (options.get(option) ?? '').split(',').filter(name => name !== '')
    if (method === 'POST' && target.kind === 'tags') fabric.tag(target.dn, names('add'), names('remove'), author)
    else if (method === 'DELETE' && target.kind === 'tagged') fabric.untag(target.name, author)
    else throw new ApicError(400, '400', `The method is not supported for ${route.path}`)
    return this.#answer([], route.format)
  }

  /** A controller in the minority writes nothing, its own logins neither. */
  #logSession(happening: Parameters<Fabric['recordSession']>[0]): void {
    if (!this.#on.standing.isMinority) this.#on.fabric.recordSession(happening)
  }

  #author({ session }: Caller) {
    const { account, id, address } = session
    if (this.#on.standing.isMinority) throw new ApicError(503, '503', 'The controller is in the minority: read-only')
    if (account.readOnly === true)
      throw new ApicError(403, '403', `User ${account.name} does not have write privileges`)
    return { user: account.name, sessionId: id, address }
  }

  #below(top: Mo, changed: readonly Mo[]): MoBody[] {
    const direct = changed.filter(mo => mo.dn.slice(0, -mo.rn.length - 1) === top.dn)
    return direct.map(mo => ({ ...flat(mo), children: this.#below(mo, changed) }))
  }

  #loggedIn(session: Session, format: Format): Answer {
    const { fabric, knobs, refreshTimeoutSeconds, maximumLifetimeSeconds, node } = this.#on
    const { account, token, challenge, id } = session
    const names = { firstName: account.firstName ?? '', lastName: account.lastName ?? '' }
    const attributes: Record<string, string> = {
      token,
      ...(challenge === undefined ? {} : { urlToken: challenge }),
      ...(knobs.oldAnswers ? {} : { siteFingerprint: 'abcd1234' }),
      refreshTimeoutSeconds: String(refreshTimeoutSeconds),
      ...(knobs.oldAnswers
        ? names
        : {
            maximumLifetimeSeconds: String(maximumLifetimeSeconds),
            creationTime: String(Math.floor(session.startedAt / 1000)),
            userName: account.name,
            remoteUser: 'false',
            sessionId: id,
            ...names,
            changePassword: 'no',
            version: fabric.version,
            node,
          }),
    }
    const rights = account.readOnly === true ? { rolesR: 'admin', rolesW: '' } : { rolesR: 'admin', rolesW: 'admin' }
    const domain = { className: 'aaaUserDomain', attributes: { name: 'all', ...rights }, children: [] }
    const answer = { className: 'aaaLogin', attributes, children: [domain] }
    return { ...this.#answer([answer], format, knobs.oldAnswers ? {} : { totalCount: 1 }), token }
  }

  #answer(objects: readonly MoBody[], format: Format, envelope: Envelope = { totalCount: objects.length }): Answer {
    return { text: answerText(objects, format, envelope) }
  }
}

function flat(mo: Mo): MoBody {
  return { className: mo.className, attributes: mo.attributes, children: [] }
}

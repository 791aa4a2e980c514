/**
 * A simulated APIC over real HTTPS and real WebSockets, as strict and nasty as reference/apic.md and the guide say.
 * Several may serve one fabric, each with sessions of its own.
 */
import { type Certificate, startServer, type Time } from '../server.ts'
import { type Account, Accounts, type LoginDomain } from './accounts.ts'
import { type MoBody, moOfValue } from './body.ts'
import { Calls } from './calls.ts'
import { Fabric } from './fabric.ts'
import { Front } from './front.ts'
import { Throttle } from './gate.ts'
import { defaultKnobs, type Knobs } from './knobs.ts'
import { type FailureRule, Mischief } from './mischief.ts'
import type { Attributes } from './model.ts'
import { Pusher } from './push.ts'
import { ApicRecord } from './record.ts'
import { type Session, Sessions } from './sessions.ts'
import { Sockets } from './sockets.ts'
import { Subscriptions } from './subscriptions.ts'
import type { Mo } from './tree.ts'

export interface ApicSimulatorOptions {
  readonly time: Time
  /** Plain HTTP and ws without one. */
  readonly certificate?: Certificate
  readonly port?: number
  /** The fabric to serve; a new one, closed with this controller, when left out. */
  readonly fabric?: Fabric
  /** Which controller of the fabric this is, from 1. */
  readonly nodeId?: number
  readonly refreshTimeoutSeconds?: number
  readonly maximumLifetimeSeconds?: number
  /** Life of a subscription that asked for no other. */
  readonly subscriptionSeconds?: number
  readonly users?: readonly Account[]
  /** The first one is that of accounts and logins that name none. */
  readonly domains?: readonly LoginDomain[]
  readonly version?: string
  readonly tokenStyle?: 'base64' | 'jwt'
  readonly maxResults?: number
  /** Logins and refreshes let through in any second; more get 503. `Infinity` switches it off. */
  readonly loginsPerSecond?: number
  /** Wrong passwords in a row that lock an account, and for how long. */
  readonly lockoutAfter?: number
  readonly lockoutSeconds?: number
  readonly knobs?: Partial<Knobs>
}

export const DEFAULT_USER: Account = {
  name: 'admin',
  password: 'ins3965!',
  firstName: 'George',
  lastName: 'Washington',
}

const DEFAULT_DOMAINS: readonly LoginDomain[] = [{ name: 'LOCAL' }, { name: 'TACACS_PROD', guiBanner: 'San Jose' }]

/** What ids of a controller count up from: above 2^56, each controller in a range of its own. */
const SUBSCRIPTION_BASE = 72_057_594_037_927_936n

/** Starts a controller on 127.0.0.1. Close it to free the port, sockets and timers. */
export async function startApicSimulator(options: ApicSimulatorOptions): Promise<ApicSimulator> {
  const simulator = new ApicSimulator(options)
  await simulator.listen()
  return simulator
}

export class ApicSimulator {
  readonly fabric: Fabric
  readonly knobs: Knobs
  readonly record = new ApicRecord()
  readonly #options: ApicSimulatorOptions
  readonly #mischief = new Mischief()
  readonly #sessions: Sessions
  readonly #sockets: Sockets
  readonly #subscriptions: Subscriptions
  readonly #pusher: Pusher
  readonly #front: Front
  readonly #stops: (() => void)[] = []
  #server: Awaited<ReturnType<typeof startServer>> | undefined

  constructor(options: ApicSimulatorOptions) {
    const { time, users = [DEFAULT_USER], domains = DEFAULT_DOMAINS, nodeId = 1 } = options
    const { refreshTimeoutSeconds = 600, maximumLifetimeSeconds = 86_400 } = options
    this.#options = options
    const { fabric = new Fabric({ time, ...(options.version === undefined ? {} : { version: options.version }) }) } =
      options
    this.fabric = fabric
    this.knobs = { ...defaultKnobs(), ...options.knobs }
    const { knobs, record } = this
    for (const user of users)
      fabric.addUser(user.name, { firstName: user.firstName ?? '', lastName: user.lastName ?? '' })
    this.#sessions = new Sessions({
      time,
      knobs,
      record,
      refreshTimeoutSeconds,
      maximumLifetimeSeconds,
      tokenStyle: options.tokenStyle ?? 'base64',
      onEnd: session => this.#ended(session),
    })
    this.#sockets = new Sockets({
      time,
      knobs,
      record,
      resolve: token => {
        try {
          return this.#sessions.resolve(token)
        } catch {
          return undefined
        }
      },
      onGone: socket => {
        if (knobs.subscriptionsOutliveSocket) return
        this.#subscriptions.endAll(subscription => subscription.socket === socket, 'socket')
      },
    })
    this.#subscriptions = new Subscriptions(time, record, SUBSCRIPTION_BASE * BigInt(nodeId))
    this.#pusher = new Pusher(fabric, knobs, this.#sockets, this.#subscriptions)
    const accounts = new Accounts({
      time,
      users,
      domains,
      passwords: fabric.passwords,
      lockoutAfter: options.lockoutAfter ?? 5,
      lockoutSeconds: options.lockoutSeconds ?? 3600,
    })
    const calls = new Calls({
      fabric,
      knobs,
      record,
      accounts,
      sessions: this.#sessions,
      sockets: this.#sockets,
      subscriptions: this.#subscriptions,
      domains,
      refreshTimeoutSeconds,
      maximumLifetimeSeconds,
      subscriptionSeconds: options.subscriptionSeconds ?? 60,
      maxResults: options.maxResults ?? 100_000,
      node: `topology/pod-1/node-${nodeId}`,
    })
    const throttle = new Throttle(time, options.loginsPerSecond ?? 2)
    this.#front = new Front({ time, record, calls, sessions: this.#sessions, mischief: this.#mischief, throttle })
    this.#stops.push(fabric.onChange(changes => this.#pusher.push(changes)))
    this.#stops.push(
      fabric.onReboot(node => {
        for (const subscription of this.#subscriptions.alive) subscription.deaf.add(node)
      }),
    )
  }

  /** Called by `startApicSimulator`. */
  async listen(): Promise<void> {
    const { certificate, port } = this.#options
    const server = await startServer((request, response) => this.#front.handle(request, response), {
      ...(certificate === undefined ? {} : { certificate }),
      ...(port === undefined ? {} : { port }),
    })
    server.server.on('upgrade', (request, stream, head) => this.#sockets.upgrade(request, stream, head))
    this.#server = server
  }

  /** `https://127.0.0.1:PORT` */
  get url(): string {
    if (this.#server === undefined) throw new Error('the simulator is not listening')
    return this.#server.url
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  /** Ends everything; the fabric too, unless it was given. */
  async close(): Promise<void> {
    for (const stop of this.#stops.splice(0)) stop()
    this.#front.close()
    this.#sessions.close()
    this.#subscriptions.close()
    this.#sockets.close()
    if (this.#options.fabric === undefined) this.fabric.close()
    await this.#server?.close()
  }

  // What a POST, DELETE or tag call does, without HTTP.

  /** `body` as it would be posted: `{ fvTenant: { attributes, children } }`. Throws `ApicError`. */
  post(dn: string, body: object): Mo[] {
    return this.fabric.post(dn, moOfValue(body))
  }

  remove(dn: string): void {
    this.fabric.remove(dn)
  }

  /** Makes an object or a log record of a class: the short form of `post` for a body that names its place itself. */
  emit(className: string, attributes: Attributes): Mo[] {
    const body: MoBody = { className, attributes, children: [] }
    return this.fabric.post('', body)
  }

  /**
   * Writes and pushes `count` eventRecords as fast as the sockets take them, like any other notification. `make` gives
   * what shall differ from the defaults; without it `descr` is `burst <index>`. Lets other work in between.
   */
  async burst(
    count: number,
    make: (index: number) => Attributes = index => ({ descr: `burst ${index}` }),
  ): Promise<void> {
    const chunk = 500
    for (let from = 0; from < count; from += chunk) {
      this.fabric.burst(from, Math.min(count, from + chunk), make)
      await new Promise<void>(resolve => setImmediate(resolve))
    }
  }

  // Nastiness.

  /** Lets calls fail; gives the way to take the rule back. */
  fail(rule: FailureRule): () => void {
    return this.#mischief.add(rule)
  }

  /** Cuts the connections of all sockets; HTTP goes on. */
  cutSockets(): void {
    this.#sockets.cut()
  }

  /** All sockets stay open and nothing goes over them any more. */
  silenceSockets(): void {
    for (const socket of this.#sockets.open) this.#sockets.silence(socket)
  }

  /** The controller loses its sockets and their subscriptions without closing anything: subscribing answers 405. */
  forgetSockets(): void {
    for (const socket of this.#sockets.open) {
      socket.forgotten = true
      this.#subscriptions.endAll(subscription => subscription.socket === socket, 'socket')
    }
  }

  /** Ends a subscription without a word. false: there is none of that id. */
  expireSubscription(id: string): boolean {
    const subscription = this.#subscriptions.get(id)
    if (subscription !== undefined) this.#subscriptions.end(subscription, 'expired')
    return subscription !== undefined
  }

  /** Refreshes of this id are refused from now on. */
  refuseRefresh(id: string): void {
    const subscription = this.#subscriptions.get(id)
    if (subscription !== undefined) subscription.refuseRefresh = true
  }

  /** A subscription stays refreshable and is told nothing more; without an id the whole controller pushes nothing. */
  mute(id?: string): void {
    const subscription = id === undefined ? undefined : this.#subscriptions.get(id)
    if (id === undefined) this.#pusher.mute = true
    else if (subscription !== undefined) subscription.muted = true
  }

  unmute(id?: string): void {
    const subscription = id === undefined ? undefined : this.#subscriptions.get(id)
    if (id === undefined) this.#pusher.mute = false
    else if (subscription !== undefined) subscription.muted = false
  }

  /** Ends sessions now: all, or those of a user. */
  endSessions(user?: string): void {
    for (const session of this.#sessions.alive) {
      if (user === undefined || session.account.name === user) this.#sessions.end(session, 'ended')
    }
  }

  /** Sends a text over every open socket, whatever it is. */
  inject(text: string): void {
    for (const socket of this.#sockets.open) this.#sockets.send(socket, text)
  }

  /** Dead to the network: connections are taken and nothing is answered; sockets fall silent. */
  goDark(): void {
    this.#front.dark = true
    this.#sockets.dark = true
    this.silenceSockets()
  }

  /** Back again: what was hanging is cut, new connections are served. */
  comeBack(): void {
    this.#front.dark = false
    this.#sockets.dark = false
    this.#server?.cut()
  }

  /** Cuts every connection, HTTP and sockets. */
  cut(): void {
    this.#server?.cut()
  }

  get openSockets(): number {
    return [...this.#sockets.open].length
  }

  /** Ids of the subscriptions that live now. */
  get subscriptionIds(): string[] {
    return [...this.#subscriptions.alive].map(subscription => subscription.id)
  }

  #ended(session: Session): void {
    this.#subscriptions.endAll(subscription => subscription.session === session, 'session')
    for (const socket of this.#sockets.open) {
      if (socket.session !== session) continue
      if (this.knobs.socketAtSessionEnd === 'close') this.#sockets.dismiss(socket)
      else socket.silent = true
    }
  }
}

/**
 * A simulated APIC over real HTTPS and real WebSockets, as strict and nasty as reference/apic.md and the guide say.
 * Several may serve one fabric, each with sessions of its own.
 */
import { startServer } from '../server.ts'
import { type MoBody, moOfValue } from './body.ts'
import type { Fabric } from './fabric.ts'
import type { Knobs } from './knobs.ts'
import type { FailureRule } from './mischief.ts'
import type { Attributes } from './model.ts'
import type { ApicSimulatorOptions } from './options.ts'
import { makeParts, type Parts } from './parts.ts'
import type { ApicRecord } from './record.ts'
import type { Mo } from './tree.ts'
import type { Minority } from './view.ts'

export { type ApicSimulatorOptions, DEFAULT_USER } from './options.ts'

/** Starts a controller on 127.0.0.1. Close it to free the port, sockets and timers. */
export async function startApicSimulator(options: ApicSimulatorOptions): Promise<ApicSimulator> {
  const simulator = new ApicSimulator(options)
  await simulator.listen()
  return simulator
}

export class ApicSimulator {
  readonly fabric: Fabric
  /** May be turned at any time. */
  readonly knobs: Knobs
  readonly record: ApicRecord
  readonly #options: ApicSimulatorOptions
  readonly #parts: Parts
  #server: Awaited<ReturnType<typeof startServer>> | undefined
  #url: string | undefined

  constructor(options: ApicSimulatorOptions) {
    this.#options = options
    this.#parts = makeParts(options)
    const { fabric, knobs, record } = this.#parts
    this.fabric = fabric
    this.knobs = knobs
    this.record = record
  }

  /** Called by `startApicSimulator`. */
  async listen(port = this.#options.port): Promise<void> {
    const { certificate } = this.#options
    const { front, sockets } = this.#parts
    const server = await startServer((request, response) => front.handle(request, response), {
      ...(certificate === undefined ? {} : { certificate }),
      ...(port === undefined ? {} : { port }),
    })
    server.server.on('upgrade', (request, stream, head) => sockets.upgrade(request, stream, head))
    this.#server = server
    this.#url = server.url
  }

  /** `https://127.0.0.1:PORT`, while it is down too. */
  get url(): string {
    if (this.#url === undefined) throw new Error('the simulator is not listening')
    return this.#url
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  /** Ends everything; the fabric too, unless it was given. */
  async close(): Promise<void> {
    const { stop, front, sessions, subscriptions, pusher, sockets } = this.#parts
    stop()
    front.close()
    pusher.close()
    sessions.close()
    subscriptions.close()
    sockets.close()
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
    return this.#parts.mischief.add(rule)
  }

  /** Cuts the connections of all sockets; HTTP goes on. */
  cutSockets(): void {
    this.#parts.sockets.cut()
  }

  /** All sockets stay open and nothing goes over them any more, pongs neither. */
  silenceSockets(): void {
    const { sockets } = this.#parts
    for (const socket of sockets.open) sockets.silence(socket)
  }

  /**
   * The controller loses its sockets without closing anything: subscribing answers 405. Their subscriptions end, unless
   * they outlive sockets: then refreshes go on to be well, and nothing is pushed.
   */
  forgetSockets(): void {
    const { sockets } = this.#parts
    for (const socket of sockets.open) sockets.forget(socket)
  }

  /** Ends a subscription without a word. false: there is none of that id. */
  expireSubscription(id: string): boolean {
    const { subscriptions } = this.#parts
    const subscription = subscriptions.get(id)
    if (subscription !== undefined) subscriptions.end(subscription, 'expired')
    return subscription !== undefined
  }

  /** Refreshes of this id are refused from now on. */
  refuseRefresh(id: string): void {
    const subscription = this.#parts.subscriptions.get(id)
    if (subscription !== undefined) subscription.refuseRefresh = true
  }

  /** A subscription stays refreshable and is told nothing more; without an id the whole controller pushes nothing. */
  mute(id?: string): void {
    this.#setMuted(id, true)
  }

  unmute(id?: string): void {
    this.#setMuted(id, false)
  }

  /** Ends sessions now: all, or those of a user. */
  endSessions(user?: string): void {
    const { sessions } = this.#parts
    for (const session of sessions.alive) {
      if (user === undefined || session.account.name === user) sessions.end(session, 'ended')
    }
  }

  /** Sends a frame over every open socket, whatever it is; bytes go as a text frame, too, unless it shall be `binary`. */
  inject(content: string | Uint8Array, binary = false): void {
    const { sockets } = this.#parts
    for (const socket of sockets.open) sockets.send(socket, content, binary)
  }

  /** Dead to the network: connections are taken and nothing is answered; sockets fall silent. */
  goDark(): void {
    this.#parts.front.dark = true
    this.#parts.sockets.dark = true
    this.silenceSockets()
  }

  /** Back again: what was hanging is cut, new connections are served. */
  comeBack(): void {
    this.#parts.front.dark = false
    this.#parts.sockets.dark = false
    this.#server?.cut()
  }

  /**
   * Stops: every connection is cut, new ones are refused, and sessions with their subscriptions are gone for good, as in
   * an upgrade (reference/apic.md b19). `keepSessions`: only the web server restarts (b30).
   */
  async goDown({ keepSessions = false } = {}): Promise<void> {
    const { sessions } = this.#parts
    const server = this.#server
    this.#server = undefined
    this.cutSockets()
    if (!keepSessions) for (const session of sessions.alive) sessions.end(session, 'died')
    await server?.close()
  }

  /** Serves again, under the same address. */
  async comeUp(): Promise<void> {
    if (this.#server === undefined) await this.listen(this.port)
  }

  /** Loses the other controllers: sockets, sessions and refreshes stay as they are, and nothing is pushed any more. */
  loseQuorum(reading: Minority = 'frozen'): void {
    this.#parts.standing.cutOff(reading)
  }

  /** Is one of the controllers again. What was missed is not pushed later; old subscriptions are told what comes now. */
  regainQuorum(): void {
    this.#parts.standing.rejoin()
  }

  /** Cuts every connection, HTTP and sockets. */
  cut(): void {
    this.#server?.cut()
  }

  get openSockets(): number {
    return [...this.#parts.sockets.open].length
  }

  /** Ids of the subscriptions that live now. */
  get subscriptionIds(): string[] {
    return [...this.#parts.subscriptions.alive].map(subscription => subscription.id)
  }

  #setMuted(id: string | undefined, muted: boolean): void {
    const { pusher, subscriptions } = this.#parts
    const subscription = id === undefined ? undefined : subscriptions.get(id)
    if (id === undefined) pusher.mute = muted
    else if (subscription !== undefined) subscription.muted = muted
  }
}

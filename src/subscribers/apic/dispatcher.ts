/** From frames to feeds: which subscription a push belongs to, also when its id is not known yet. */
import { Poison } from '../../errors.ts'
import { type Change, decodeFrame, type Frame } from './decode.ts'
import type { Dispatch, Feed } from './feed.ts'
import { TIME_PROPERTIES } from './mirror.ts'
import type { Outbox } from './outbox.ts'

/** Frames that wait for the id of a subscription being made. */
const MAX_UNKNOWN_FRAMES = 20_000
/** Feed under which what belongs to no subscription is kept. */
const SOCKET_FEED = 'socket'

export interface DispatcherOptions {
  readonly outbox: Outbox
  /** Too many frames wait for their id: stop reading. */
  readonly onFull: () => void
  /** They are through. */
  readonly onRoom: () => void
}

export class Dispatcher implements Dispatch {
  readonly #options: DispatcherOptions
  readonly #byId = new Map<string, Feed>()
  readonly #observers = new Map<string, (changes: readonly Change[]) => void>()
  #expecting = 0
  #unknown: Frame[] = []

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  register(id: string, feed: Feed): void {
    this.#byId.set(id, feed)
  }

  forget(id: string, feed: Feed): void {
    if (this.#byId.get(id) === feed) this.#byId.delete(id)
  }

  observe(id: string, hear: (changes: readonly Change[]) => void): void {
    this.#observers.set(id, hear)
  }

  unobserve(id: string): void {
    this.#observers.delete(id)
  }

  expectIds(): () => void {
    this.#expecting++
    return () => {
      this.#expecting--
      const waiting = this.#unknown
      this.#unknown = []
      for (const frame of waiting) this.#dispatch(frame)
      if (this.#unknown.length < MAX_UNKNOWN_FRAMES) this.#options.onRoom()
    }
  }

  /** Takes one message of the socket. What can't be read becomes a dead letter and stops nothing. */
  take(text: string): void {
    try {
      this.#dispatch(decodeFrame(text))
    } catch (error) {
      if (!(error instanceof Poison)) throw error
      this.#options.outbox.add(SOCKET_FEED, { dead: { reason: error.message, content: text } })
    }
  }

  /** A frame may name several subscriptions: its objects are told once. */
  #dispatch(frame: Frame): void {
    for (const dead of frame.unreadable) this.#options.outbox.add(SOCKET_FEED, { dead })
    const named: Feed[] = []
    for (const id of frame.subscriptionIds) {
      this.#observers.get(id)?.(frame.changes)
      const feed = this.#byId.get(id)
      if (feed === undefined || named.includes(feed)) continue
      feed.prove(() => happenedMs(frame.changes))
      feed.mutes = 0
      named.push(feed)
    }
    for (const feed of named) for (const { dn } of frame.changes) feed.hearing.heard(dn)
    // One of them applies it; each of them may want it told. One that is reading its snapshot would only hold it back.
    const taker = named.find(feed => !feed.holding) ?? named[0]
    if (taker !== undefined) {
      // Behind what waits already of an object, though: its order counts.
      for (const change of frame.changes) {
        const { dn } = change
        const keeper = named.find(feed => feed.filler.isAsking(dn) || feed.holdsBack(dn) !== undefined)
        const next = keeper ?? taker
        next.take(change, named)
      }
      return
    }
    // Pushed before the answer that names its id was read: it waits for that. Otherwise it is of a subscription given up.
    const waiting = frame.subscriptionIds.filter(id => !this.#observers.has(id))
    if (this.#expecting === 0 || waiting.length === 0) return
    this.#unknown.push({ ...frame, subscriptionIds: waiting, unreadable: [] })
    if (this.#unknown.length >= MAX_UNKNOWN_FRAMES) this.#options.onFull()
  }
}

/**
 * When what a frame tells happened, by the objects' own times. Not when it came: a frame may have been on its way for
 * seconds, and what happened meanwhile may never come. Undefined when they don't say, as at a deletion.
 */
function happenedMs(changes: readonly Change[]): number | undefined {
  for (const { attributes } of changes) {
    for (const property of TIME_PROPERTIES) {
      const ms = Date.parse(attributes[property] ?? '')
      if (!Number.isNaN(ms)) return ms
    }
  }
  return undefined
}

/** Turns changes into frames: which sockets, which ids, what a notification shows of an object. */
import type { Time } from '../server.ts'
import { type Format, type MoBody, moText } from './body.ts'
import type { Change } from './change.ts'
import { parentOf, rnOf } from './dn.ts'
import type { Fabric } from './fabric.ts'
import type { Knobs } from './knobs.ts'
import { isTold, sourceOf } from './match.ts'
import type { SimSocket, Sockets } from './sockets.ts'
import type { Subscription, Subscriptions } from './subscriptions.ts'

/** The object of a notification: whole when created, only what changed when modified, only its identity when deleted. */
function notified(change: Change): MoBody {
  const { className, kind, dn, attributes } = change
  const own =
    kind === 'created'
      ? { ...attributes, rn: '', status: kind }
      : { childAction: '', dn, modTs: 'never', ...attributes, rn: '', status: kind }
  return { className, attributes: own, children: [] }
}

/** One frame. Several ids of an XML frame are joined by commas; no capture of that was found. */
function frameText(objects: readonly string[], ids: readonly string[], format: Format, plain: boolean): string {
  if (format === 'xml') {
    return `<?xml version="1.0" encoding="UTF-8"?><imdata subscriptionId="${ids.join(',')}">${objects.join('')}</imdata>`
  }
  return `{"subscriptionId":${plain ? `"${ids[0]}"` : JSON.stringify(ids)},"imdata":[${objects.join(',')}]}`
}

interface Address {
  readonly socket: SimSocket
  readonly format: Format
  readonly ids: string[]
}

interface Frame extends Address {
  readonly key: string
  readonly objects: string[]
}

export class Pusher {
  readonly #fabric: Fabric
  readonly #knobs: Knobs
  readonly #sockets: Sockets
  readonly #subscriptions: Subscriptions
  readonly #cancels = new Set<() => void>()
  /** Sockets and refreshes are well, and nothing is ever pushed. */
  mute = false

  constructor(fabric: Fabric, knobs: Knobs, sockets: Sockets, subscriptions: Subscriptions) {
    this.#fabric = fabric
    this.#knobs = knobs
    this.#sockets = sockets
    this.#subscriptions = subscriptions
  }

  /** Sends what the subscriptions of this controller are to be told. */
  push(changes: readonly Change[]): void {
    if (this.mute || this.#subscriptions.size === 0) return
    const ready: Frame[] = []
    const frames = new Map<SimSocket, Frame>()
    const { told, texts } = this.#texts(changes)
    for (const change of told) {
      for (const { socket, format, ids } of this.#addressees(change)) {
        const key = `${format} ${ids.join()}`
        const text = texts(change, format)
        const waiting = frames.get(socket)
        if (waiting !== undefined && waiting.key === key && waiting.objects.length < this.#knobs.objectsPerFrame) {
          waiting.objects.push(text)
          continue
        }
        if (waiting !== undefined) ready.push(waiting)
        frames.set(socket, { socket, format, ids, key, objects: [text] })
      }
    }
    ready.push(...frames.values())
    if (ready.length > 0) this.#leave(ready)
  }

  /** Drops what waits for its time. */
  close(): void {
    for (const cancel of this.#cancels) cancel()
    this.#cancels.clear()
  }

  #leave(frames: readonly Frame[]): void {
    const { pushDelayMs } = this.#knobs
    const send = (): void => {
      for (const frame of frames) this.#send(frame)
    }
    if (pushDelayMs === 0) {
      send()
      return
    }
    const cancel = this.#fabric.time.after(pushDelayMs, () => {
      this.#cancels.delete(cancel)
      send()
    })
    this.#cancels.add(cancel)
  }

  /** What is told of a transaction, and the text of each object, made once. */
  #texts(changes: readonly Change[]): { told: readonly Change[]; texts: (change: Change, format: Format) => string } {
    const bodies = new Map<Change, MoBody>()
    const whole = this.#knobs.nestChildren ? nested(changes, bodies) : changes
    const told = this.#knobs.acrossDns === 'mixed' ? mixed(whole, this.#fabric.time) : whole
    let last: { change: Change; format: Format; text: string } | undefined
    return {
      told,
      texts: (change, format) => {
        if (last?.change === change && last.format === format) return last.text
        last = { change, format, text: moText(bodies.get(change) ?? notified(change), format) }
        return last.text
      },
    }
  }

  #addressees(change: Change): Address[] {
    const groups: Address[] = []
    const source = sourceOf(change)
    const now = this.#fabric.time.now()
    for (const subscription of this.#subscriptions.candidates(change)) {
      const { id, format, query } = subscription
      if (subscription.muted) continue
      if (source !== undefined && !this.#subscriptions.hears(subscription, source)) continue
      if (now < subscription.settledAt && query.target.kind === 'mo' && change.dn !== query.target.dn) continue
      if (!isTold(this.#fabric, query, change, this.#knobs.filteredDeletes === 'sent')) continue
      const socket = this.#socketOf(subscription)
      if (socket === undefined) continue
      const group = groups.find(one => one.socket === socket && one.format === format)
      if (group === undefined) groups.push({ socket, format, ids: [id] })
      else group.ids.push(id)
    }
    return groups
  }

  /** Its own socket; where subscriptions outlive theirs, the newest good one of the session once that is lost. */
  #socketOf(subscription: Subscription): SimSocket | undefined {
    const { socket, session } = subscription
    const isLost = socket.forgotten || socket.ws.readyState !== socket.ws.OPEN
    return isLost && this.#knobs.subscriptionsOutliveSocket ? (this.#sockets.of(session) ?? socket) : socket
  }

  #send(frame: Frame): void {
    const { socket, objects, ids, format } = frame
    if (!this.#knobs.plainIds) {
      this.#sockets.send(socket, frameText(objects, ids, format, false))
      return
    }
    for (const id of ids) this.#sockets.send(socket, frameText(objects, [id], format, true))
  }
}

/** Children created in the same transaction go inside their parent's object, with `rn` and without `dn`. */
function nested(changes: readonly Change[], bodies: Map<Change, MoBody>): Change[] {
  const open = new Map<string, MoBody[]>()
  const told: Change[] = []
  for (const change of changes) {
    const body = notified(change)
    const children: MoBody[] = []
    bodies.set(change, { ...body, children })
    const siblings = change.kind === 'created' ? open.get(parentOf(change.dn)) : undefined
    if (change.kind === 'created') open.set(change.dn, children)
    if (siblings === undefined) {
      told.push(change)
      continue
    }
    const { dn: _dn, ...attributes } = body.attributes
    siblings.push({ className: change.className, attributes: { ...attributes, rn: rnOf(change.dn) }, children })
  }
  return told
}

/** Another order of the DNs, the same order within each. */
function mixed(changes: readonly Change[], time: Time): Change[] {
  const ranks = new Map<string, number>()
  for (const { dn } of changes) if (!ranks.has(dn)) ranks.set(dn, time.random())
  return changes.toSorted((a, b) => (ranks.get(a.dn) ?? 0) - (ranks.get(b.dn) ?? 0))
}

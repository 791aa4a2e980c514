/** Turns changes into frames: which sockets, which ids, what a notification shows of an object. */
import { type Format, type MoBody, moText } from './body.ts'
import { parentOf, rnOf } from './dn.ts'
import type { Change, Fabric } from './fabric.ts'
import type { Knobs } from './knobs.ts'
import { isTold, sourceOf } from './match.ts'
import type { SimSocket, Sockets } from './sockets.ts'
import type { Subscription, Subscriptions } from './subscriptions.ts'

/** The object of a notification: whole when created, only what changed when modified, only its identity when deleted. */
export function notified(change: Change): MoBody {
  const { className, kind, dn, attributes } = change
  const own =
    kind === 'created'
      ? { ...attributes, rn: '', status: kind }
      : { childAction: '', dn, modTs: 'never', ...attributes, rn: '', status: kind }
  return { className, attributes: own, children: [] }
}

/** One frame. Several ids of an XML frame are joined by commas; no capture of that was found. */
export function frameText(objects: readonly string[], ids: readonly string[], format: Format, plain: boolean): string {
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
  /** Sockets and refreshes are well, and nothing is ever pushed: a controller cut off from the others. */
  mute = false

  constructor(fabric: Fabric, knobs: Knobs, sockets: Sockets, subscriptions: Subscriptions) {
    this.#fabric = fabric
    this.#knobs = knobs
    this.#sockets = sockets
    this.#subscriptions = subscriptions
  }

  /** Sends what the subscriptions of this controller are to be told. */
  push(changes: readonly Change[]): void {
    if (this.mute) return
    const listening = [...this.#subscriptions.alive].filter(subscription => !subscription.muted)
    if (listening.length === 0) return
    const frames = new Map<SimSocket, Frame>()
    const { told, texts } = this.#texts(changes)
    for (const change of told) {
      const groups = this.#addressees(change, listening)
      for (const { socket, format, ids } of groups) {
        const key = `${format} ${ids.join()}`
        const text = texts(change, format)
        const waiting = frames.get(socket)
        if (waiting !== undefined && waiting.key === key && waiting.objects.length < this.#knobs.objectsPerFrame) {
          waiting.objects.push(text)
          continue
        }
        if (waiting !== undefined) this.#send(waiting)
        frames.set(socket, { socket, format, ids, key, objects: [text] })
      }
    }
    for (const frame of frames.values()) this.#send(frame)
  }

  /** What is told of a transaction, and the text of each object, made once. */
  #texts(changes: readonly Change[]): { told: readonly Change[]; texts: (change: Change, format: Format) => string } {
    const bodies = new Map<Change, MoBody>()
    const told = this.#knobs.nestChildren ? nested(changes, bodies) : changes
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

  #addressees(change: Change, listening: readonly Subscription[]): Address[] {
    const groups: Address[] = []
    let source: string | undefined | null = null
    for (const subscription of listening) {
      if (!isTold(this.#fabric, subscription.query, change, this.#knobs.filteredDeletes === 'sent')) continue
      if (subscription.deaf.size > 0) {
        if (source === null) source = sourceOf(change)
        if (source !== undefined && subscription.deaf.has(source)) continue
      }
      const { id, format } = subscription
      const socket = this.#socketOf(subscription)
      if (socket === undefined) continue
      const group = groups.find(one => one.socket === socket && one.format === format)
      if (group === undefined) groups.push({ socket, format, ids: [id] })
      else group.ids.push(id)
    }
    return groups
  }

  #socketOf(subscription: Subscription): SimSocket | undefined {
    const { socket, session } = subscription
    if (socket.ws.readyState === socket.ws.OPEN) return socket
    return this.#knobs.subscriptionsOutliveSocket ? this.#sockets.of(session) : undefined
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

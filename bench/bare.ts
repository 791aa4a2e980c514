/**
 * The bare loop, a process of its own: what any program must do that brings an APIC's pushes to JetStream, and nothing
 * more. WebSocket → JSON.parse → envelope with a SHA-256 id → acknowledged publish with many under way. No store,
 * no order by object, no lookup after a loss, no metrics: what is in flight when it dies is lost.
 *
 * Arguments: fabric URL, NATS URL, stream, prefix, class, how many, and `smallest` or `full` (the envelope), `durable` (full
 * size, and each event in a store before it is published; with the store's file) or `count` (read and count only, which shows
 * what the source can do).
 */
import { connect } from '@nats-io/transport-node'
import { WebSocket } from 'ws'
import { systemClock } from '../src/scheduler/clock.ts'
import { type Attributes, fullSize, smallest } from './bare-envelope.ts'
import { BarePublisher, type Outgoing, WINDOW } from './bare-publisher.ts'
import { type Frame, login, socketUrl, subscribe } from './bare-session.ts'
import { BareStore, type StoredObject } from './bare-store.ts'
import { tell } from './messages.ts'

const [fabric = '', nats = '', stream = '', prefix = '', cls = '', countText = '', mode = '', file = ''] =
  process.argv.slice(2)
const count = Number(countText)
const known = new Map<string, Attributes>()
const isFull = mode === 'full' || mode === 'durable'
const envelope = isFull ? fullSize(() => systemClock.wall(), known) : smallest
let received = 0

const connection = await connect({ servers: nats, noAsyncTraces: true })
const publisher = new BarePublisher(connection, stream, () => {
  if (publisher.acked === count) tell({ say: 'done', atMs: systemClock.wall() })
  if (socket.isPaused) socket.resume()
})

/** Events of one transaction, and how long fewer wait for more. */
const BATCH = 512
const BATCH_MS = 2
const store = mode === 'durable' ? new BareStore(file) : undefined
let batch: Outgoing[] = []
const changed = new Map<string, StoredObject>()
let timer: NodeJS.Timeout | undefined

/** Stores what was collected, then publishes it. */
function flush(): void {
  clearTimeout(timer)
  timer = undefined
  const recordedMs = systemClock.wall()
  store?.insert(
    batch.map(one => ({ ...one, partitionkey: one.id, recordedMs })),
    changed.values(),
  )
  changed.clear()
  for (const one of batch) publisher.publish(one)
  batch = []
}

function take(data: Buffer): void {
  const { imdata } = JSON.parse(data.toString('utf8')) as Frame
  for (const object of imdata) {
    for (const name in object) {
      const attributes = object[name]?.attributes ?? {}
      const { id, body } = envelope(name, attributes)
      const subject = `${prefix}.apic.fabric-a.event.${attributes['severity'] ?? 'info'}`
      const message = { id, subject, body: Buffer.from(JSON.stringify(body)) }
      if (store === undefined) publisher.publish(message)
      else {
        batch.push(message)
        const dn = attributes['dn'] ?? ''
        const object = known.get(dn)
        if (object !== undefined) changed.set(dn, { key: dn, family: name, version: id, attributes: object })
      }
    }
  }
  if (batch.length >= BATCH) flush()
  else if (batch.length > 0) timer ??= setTimeout(flush, BATCH_MS)
  if (publisher.waiting > WINDOW) socket.pause()
}

const token = await login(fabric)
const socket = new WebSocket(socketUrl(fabric, token), { perMessageDeflate: false })
await new Promise((resolve, reject) => {
  socket.once('open', resolve)
  socket.once('error', reject)
})
socket.on('message', (data: Buffer) => {
  received++
  if (mode !== 'count') take(data)
  else if (received === count) tell({ say: 'done', atMs: systemClock.wall() })
})
const { imdata } = await subscribe(fabric, token, cls)
if (isFull) {
  for (const { attributes } of imdata.flatMap(object => Object.values(object))) {
    known.set(attributes['dn'] ?? '', attributes)
  }
}
process.on('disconnect', () => process.exit(0))
tell({ say: 'subscribed' })

/**
 * The bare loop, a process of its own: what any program must do that brings an APIC's pushes to JetStream, and nothing
 * more. WebSocket → JSON.parse → envelope with a SHA-256 id → acknowledged publish with many under way. No store,
 * no order by object, no lookup after a loss, no metrics: what is in flight when it dies is lost.
 *
 * Arguments: fabric URL, NATS URL, stream, prefix, class, how many, and `smallest` or `full` (the envelope) or `count`
 * (read and count only, which shows what the source can do).
 */
import { connect } from '@nats-io/transport-node'
import { WebSocket } from 'ws'
import { systemClock } from '../src/scheduler/clock.ts'
import { type Attributes, fullSize, smallest } from './bare-envelope.ts'
import { BarePublisher, WINDOW } from './bare-publisher.ts'
import { type Frame, login, socketUrl, subscribe } from './bare-session.ts'
import { tell } from './messages.ts'

const [fabric = '', nats = '', stream = '', prefix = '', cls = '', countText = '', mode = ''] = process.argv.slice(2)
const count = Number(countText)
const known = new Map<string, Attributes>()
const envelope = mode === 'full' ? fullSize(() => systemClock.wall(), known) : smallest
let received = 0

const connection = await connect({ servers: nats, noAsyncTraces: true })
const publisher = new BarePublisher(connection, stream, () => {
  if (publisher.acked === count) tell({ say: 'done', atMs: systemClock.wall() })
  if (socket.isPaused) socket.resume()
})

function take(data: Buffer): void {
  const { imdata } = JSON.parse(data.toString('utf8')) as Frame
  for (const object of imdata) {
    for (const name in object) {
      const attributes = object[name]?.attributes ?? {}
      const { id, body } = envelope(name, attributes)
      const subject = `${prefix}.apic.fabric-a.event.${attributes['severity'] ?? 'info'}`
      publisher.publish({ id, subject, body: Buffer.from(JSON.stringify(body)) })
    }
  }
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
if (mode === 'full') {
  for (const { attributes } of imdata.flatMap(object => Object.values(object))) {
    known.set(attributes['dn'] ?? '', attributes)
  }
}
process.on('disconnect', () => process.exit(0))
tell({ say: 'subscribed' })

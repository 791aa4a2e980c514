/**
 * The bare loop, a process of its own: what any program must do that brings an APIC's pushes to JetStream, and nothing
 * more. WebSocket → JSON.parse → smallest envelope with a SHA-256 id → acknowledged publish with many under way. No store,
 * no order by object, no lookup after a loss, no metrics: what is in flight when it dies is lost.
 *
 * Arguments: fabric URL, NATS URL, stream, prefix, how many, and `publish` or `count` (read and count only, which shows
 * what the source can do). NODE_EXTRA_CA_CERTS must name the fabric's certificate.
 */
import { hash } from 'node:crypto'
import { connect, createInbox } from '@nats-io/transport-node'
import { WebSocket } from 'ws'
import { systemClock } from '../src/scheduler/clock.ts'
import { PreparedHeaders } from '../src/sinks/nats-publisher.ts'
import { tell } from './messages.ts'

const [fabric = '', nats = '', stream = '', prefix = '', countText = '', mode = ''] = process.argv.slice(2)
const count = Number(countText)
/** Unacknowledged messages at once: where throughput is best on one machine. */
const WINDOW = 1024

interface Frame {
  readonly imdata: readonly Record<string, { readonly attributes: Record<string, string> }>[]
}

const connection = await connect({ servers: nats, noAsyncTraces: true })
const inbox = `${createInbox()}.`
const headers = new PreparedHeaders(stream)
const waiting: { readonly id: string; readonly subject: string; readonly body: Uint8Array }[] = []
let sent = 0
let acked = 0
let received = 0

connection.subscribe(`${inbox}*`, {
  callback: (error, message) => {
    const text = error === null ? Buffer.from(message.data).toString('latin1') : error.message
    if (!text.includes('"seq"')) throw new Error(`not acknowledged: ${text}`)
    acked++
    drain()
    if (acked === count) tell({ say: 'done', atMs: systemClock.wall() })
  },
})

function drain(): void {
  while (sent - acked < WINDOW) {
    const next = waiting.shift()
    if (next === undefined) break
    headers.prepare(next.id)
    connection.publish(next.subject, next.body, { reply: inbox + (++sent).toString(36), headers })
  }
  if (waiting.length === 0 && socket.isPaused) socket.resume()
}

function take(data: Buffer): void {
  const { imdata } = JSON.parse(data.toString('utf8')) as Frame
  for (const object of imdata) {
    for (const cls in object) {
      const attributes = object[cls]?.attributes ?? {}
      const { dn = '', created = '', severity = 'info', lastTransition = '' } = attributes
      const id = hash('sha256', JSON.stringify(['fabric-a', cls, dn, created, lastTransition]), 'hex').slice(0, 32)
      const envelope = {
        specversion: '1.0',
        id,
        source: '/apic/fabric-a',
        type: `apic.${cls}`,
        subject: dn,
        time: created,
        datacontenttype: 'application/json',
        data: { raw: object },
      }
      const body = Buffer.from(JSON.stringify(envelope))
      waiting.push({ id, subject: `${prefix}.apic.fabric-a.event.${severity}`, body })
    }
  }
  drain()
  if (waiting.length > WINDOW) socket.pause()
}

const login = await fetch(`${fabric}/api/aaaLogin.json`, {
  method: 'POST',
  body: JSON.stringify({ aaaUser: { attributes: { name: 'bench', pwd: 'bench' } } }),
})
const granted = (await login.json()) as Frame
const token = granted.imdata[0]?.['aaaLogin']?.attributes['token'] ?? ''
const socket = new WebSocket(`${fabric.replace('https', 'wss')}/socket${token}`, { perMessageDeflate: false })
await new Promise((resolve, reject) => {
  socket.once('open', resolve)
  socket.once('error', reject)
})
socket.on('message', (data: Buffer) => {
  received++
  if (mode === 'publish') take(data)
  else if (received === count) tell({ say: 'done', atMs: systemClock.wall() })
})
const subscribing = await fetch(`${fabric}/api/class/eventRecord.json?subscription=yes`, {
  headers: { cookie: `APIC-cookie=${token}` },
})
if (!subscribing.ok) throw new Error(`subscribing: HTTP ${subscribing.status}`)
process.on('disconnect', () => process.exit(0))
tell({ say: 'subscribed' })

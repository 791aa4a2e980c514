// Follows opswire's stream and says which alerts open and close. Survives restarts (durable consumer, state in a file) and redelivery.
// Ends when the stream is not there: whatever runs it starts it again. Needs NATS' client, Node.js 22 and nats-server 2.10, or newer.
// NATS_URL=127.0.0.1:4222 STREAM=OPSWIRE PREFIX=opswire STATE=alerts.json node alerts.mjs
import { readFile, rename, writeFile } from 'node:fs/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, nanos } from '@nats-io/transport-node'

const { NATS_URL, STREAM = 'OPSWIRE', PREFIX = 'opswire', STATE = 'alerts.json' } = process.env
const open = new Map(Object.entries(JSON.parse(await readFile(STATE, 'utf8').catch(() => '{}'))))
const connection = await connect({ servers: NATS_URL, maxReconnectAttempts: -1, waitOnFirstConnect: true })
// One message at a time: what is delivered again comes before what follows it.
const taking = { durable_name: 'alerts', ack_policy: 'explicit', max_ack_pending: 1, ack_wait: nanos(5000) }
const filter_subjects = ['fault', 'health', 'state', 'source'].map(kind => `${PREFIX}.*.*.${kind}.*`)
await (await jetstreamManager(connection)).consumers.add(STREAM, { ...taking, filter_subjects })
const consumer = await jetstream(connection).consumers.get(STREAM, 'alerts')
for await (const message of await consumer.consume({ abort_on_missing_resource: true })) {
  const { severitytext: severity, data } = message.json()
  const { alertKey: key, state, summary } = data
  const stands = state === 'firing' || state === 'clearing'
  const word = stands && !open.has(key) ? 'OPEN' : state === 'resolved' && open.delete(key) ? 'CLOSED' : undefined
  // Here a pager would be called. Before it is written down: killed in between, it is called twice rather than never.
  if (word !== undefined) process.stdout.write(`${word} ${severity} ${key}: ${summary}\n`)
  if (stands) open.set(key, { severity, summary })
  await writeFile(`${STATE}.new`, JSON.stringify(Object.fromEntries(open)))
  await rename(`${STATE}.new`, STATE)
  message.ack()
}

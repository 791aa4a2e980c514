// Follows opswire's stream and says which alerts open and close. Survives restarts (durable consumer, state in a file) and redelivery.
// NATS_URL=nats://127.0.0.1:4222 STREAM=OPSWIRE PREFIX=opswire STATE=alerts.json node alerts.mjs
import { readFile, rename, writeFile } from 'node:fs/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, nanos } from '@nats-io/transport-node'

const {
  NATS_URL: servers = 'nats://127.0.0.1:4222',
  STREAM = 'OPSWIRE',
  PREFIX = 'opswire',
  STATE = 'alerts.json',
} = process.env
const filter_subjects = ['fault', 'health', 'state', 'source'].map(kind => `${PREFIX}.*.*.${kind}.*`)
const open = new Map(Object.entries(JSON.parse(await readFile(STATE, 'utf8').catch(() => '{}'))))

const connection = await connect({ servers, maxReconnectAttempts: -1 })
const manager = await jetstreamManager(connection)
// One message at a time: what is delivered again comes before what follows it.
await manager.consumers.add(STREAM, {
  durable_name: 'alerts',
  ack_policy: 'explicit',
  max_ack_pending: 1,
  ack_wait: nanos(5000),
  filter_subjects,
})
const consumer = await jetstream(connection).consumers.get(STREAM, 'alerts')
for await (const message of await consumer.consume()) {
  const { data, severitytext } = message.json()
  const { alertKey: key, state, summary } = data
  const change =
    state === 'firing' && !open.has(key) ? 'OPEN' : state === 'resolved' && open.delete(key) ? 'CLOSED' : undefined
  // Here a pager would be called. Before it is written down: killed in between, it is called twice rather than never.
  if (change !== undefined) process.stdout.write(`${change} ${severitytext} ${key}: ${summary}\n`)
  if (state === 'firing') open.set(key, { severity: severitytext, summary })
  await writeFile(`${STATE}.new`, JSON.stringify(Object.fromEntries(open)))
  await rename(`${STATE}.new`, STATE)
  message.ack()
}

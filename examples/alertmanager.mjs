// Hands opswire's alerts to Alertmanager: opens, repeats and ends them. Survives restarts (durable consumer, state in a file) and redelivery.
// NATS_URL=nats://127.0.0.1:4222 ALERTMANAGER_URL=http://127.0.0.1:9093 STREAM=OPSWIRE PREFIX=opswire STATE=alertmanager.json node alertmanager.mjs
import { readFile, rename, writeFile } from 'node:fs/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, nanos } from '@nats-io/transport-node'

const { NATS_URL: servers = 'nats://127.0.0.1:4222', ALERTMANAGER_URL = 'http://127.0.0.1:9093' } = process.env
const { STREAM = 'OPSWIRE', PREFIX = 'opswire', STATE = 'alertmanager.json', REPEAT_MS = '60000' } = process.env
const filter_subjects = ['fault', 'health', 'state', 'source'].map(kind => `${PREFIX}.*.*.${kind}.*`)
const open = new Map(Object.entries(JSON.parse(await readFile(STATE, 'utf8').catch(() => '{}'))))

async function post(alerts) {
  if (alerts.length === 0) return
  const headers = { 'content-type': 'application/json' }
  const answer = await fetch(`${ALERTMANAGER_URL}/api/v2/alerts`, {
    method: 'POST',
    headers,
    body: JSON.stringify(alerts),
  })
  if (!answer.ok) throw new Error(`Alertmanager: HTTP ${answer.status} ${await answer.text()}`)
}

// Labels are what Alertmanager knows an alert by: those of its opening, until its end.
function opened({ source, severitytext, time, recordedtime, data }) {
  const { alertKey, kind, code, summary } = data
  const labels = {
    alertname: code ?? kind,
    source: source.split('/')[2],
    kind,
    severity: severitytext,
    alert_key: alertKey,
  }
  return { labels, annotations: { summary }, startsAt: time ?? recordedtime }
}

const connection = await connect({ servers, maxReconnectAttempts: -1 })
const manager = await jetstreamManager(connection)
// One message at a time: what is delivered again comes before what follows it.
await manager.consumers.add(STREAM, {
  durable_name: 'alertmanager',
  ack_policy: 'explicit',
  max_ack_pending: 1,
  ack_wait: nanos(5000),
  filter_subjects,
})
const consumer = await jetstream(connection).consumers.get(STREAM, 'alertmanager')
// What nobody repeats Alertmanager takes for over. One that is away for now gets it next time.
setInterval(
  () => post([...open.values()]).catch(error => process.stderr.write(`${error}\n`)),
  Number(REPEAT_MS),
).unref()
for await (const message of await consumer.consume()) {
  const event = message.json()
  const { alertKey: key, state, summary } = event.data
  if (state === 'firing') open.set(key, { ...(open.get(key) ?? opened(event)), annotations: { summary } })
  const alert = open.get(key)
  try {
    if (state === 'firing') await post([alert])
    if (state === 'resolved' && alert !== undefined)
      await post([{ ...alert, endsAt: event.time ?? event.recordedtime }])
    if (state === 'resolved') open.delete(key)
    await writeFile(`${STATE}.new`, JSON.stringify(Object.fromEntries(open)))
    await rename(`${STATE}.new`, STATE)
    message.ack()
  } catch (error) {
    // Not acknowledged: it comes again, before anything else.
    process.stderr.write(`${error}\n`)
    message.nak(5000)
  }
}

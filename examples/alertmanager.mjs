// Hands opswire's alerts to Alertmanager: opens, repeats and ends them. Survives restarts (durable consumer, state in a file) and redelivery.
// Ends when the stream is not there: whatever runs it starts it again. Needs NATS' client, Node.js 22 and nats-server 2.10, or newer.
// NATS_URL=127.0.0.1:4222 ALERTMANAGER_URL=http://127.0.0.1:9093 STREAM=OPSWIRE PREFIX=opswire STATE=alertmanager.json node alertmanager.mjs
import { readFile, rename, writeFile } from 'node:fs/promises'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, nanos } from '@nats-io/transport-node'

const { NATS_URL, ALERTMANAGER_URL = 'http://127.0.0.1:9093', STREAM = 'OPSWIRE', PREFIX = 'opswire' } = process.env
const { STATE = 'alertmanager.json', REPEAT_MS = '60000' } = process.env
const open = new Map(Object.entries(JSON.parse(await readFile(STATE, 'utf8').catch(() => '{}'))))

async function send(alerts) {
  if (alerts.length === 0) return
  const headers = { 'content-type': 'application/json' }
  const asked = { method: 'POST', headers, body: JSON.stringify(alerts), signal: AbortSignal.timeout(4000) }
  const answer = await fetch(`${ALERTMANAGER_URL}/api/v2/alerts`, asked)
  const text = answer.ok ? '' : `Alertmanager: HTTP ${answer.status} ${await answer.text()}`
  // 400: it will never take one of these, and has taken the others. Nothing waits for that one.
  if (answer.status === 400) process.stderr.write(`${text}\n`)
  else if (!answer.ok) throw new Error(text)
}

// One after the other: a repetition that comes in behind an end would open that alert again.
let last = Promise.resolve()
function post(alerts) {
  last = last.catch(() => undefined).then(() => send(alerts()))
  return last
}

// Clocks differ, and Alertmanager takes nothing that begins too late, or ends before it began.
const timeOf = ({ time, recordedtime }) =>
  new Date(Math.min(Date.parse(time ?? recordedtime), Date.now())).toISOString()
const ended = (alert, at) => ({ ...alert, endsAt: at > alert.startsAt ? at : alert.startsAt })

function opened(event) {
  const { alertKey: alert_key, kind, code, summary } = event.data
  const [, , source] = event.source.split('/')
  const labels = { alertname: code ?? kind, source, kind, severity: event.severitytext, alert_key }
  return { labels, annotations: { summary }, startsAt: timeOf(event) }
}

/** What stands after this event, and what ends with it. Labels are what Alertmanager knows an alert by: another severity is another alert. */
function follow(event, before) {
  const { state } = event.data
  if (state !== 'firing' && state !== 'clearing' && state !== 'resolved') return { now: before, ends: [] }
  const next = state === 'resolved' ? undefined : opened(event)
  const isSame = before !== undefined && before.labels.severity === next?.labels.severity
  const now = isSame ? { ...before, annotations: next.annotations } : next
  return { now, ends: before === undefined || isSame ? [] : [ended(before, timeOf(event))] }
}

const keep = (key, alert) => (alert === undefined ? open.delete(key) : open.set(key, alert))

const connection = await connect({ servers: NATS_URL, maxReconnectAttempts: -1, waitOnFirstConnect: true })
// One message at a time: what is delivered again comes before what follows it.
const taking = { durable_name: 'alertmanager', ack_policy: 'explicit', max_ack_pending: 1, ack_wait: nanos(5000) }
const filter_subjects = ['fault', 'health', 'state', 'source'].map(kind => `${PREFIX}.*.*.${kind}.*`)
await (await jetstreamManager(connection)).consumers.add(STREAM, { ...taking, filter_subjects })
const consumer = await jetstream(connection).consumers.get(STREAM, 'alertmanager')
// What nobody repeats Alertmanager takes for over. One that is away for now gets it next time.
const repeat = () => post(() => [...open.values()]).catch(error => process.stderr.write(`${error}\n`))
setInterval(repeat, Number(REPEAT_MS)).unref()
for await (const message of await consumer.consume({ abort_on_missing_resource: true })) {
  const event = message.json()
  const key = event.data.alertKey
  const before = open.get(key)
  const { now, ends } = follow(event, before)
  keep(key, now)
  try {
    await post(() => (now === undefined ? ends : [...ends, now]))
    await writeFile(`${STATE}.new`, JSON.stringify(Object.fromEntries(open)))
    await rename(`${STATE}.new`, STATE)
    message.ack()
  } catch (error) {
    // Not acknowledged: it comes again, before anything else.
    keep(key, before)
    process.stderr.write(`${error}\n`)
    message.nak(5000)
  }
}

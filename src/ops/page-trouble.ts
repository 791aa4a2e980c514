/** What is not well, how bad it is, since when, and what to do: read off the status document. Pure. */
import { counted, formatBytes, span } from './amounts.ts'
import { GAPS } from './model.ts'
import { GUIDES, type Trouble } from './page-guides.ts'
import { Times } from './page-parts.ts'
import { troubleOf } from './page-source-trouble.ts'
import type { StatusDocument } from './status.ts'

/** A gap is news for a day. */
const GAP_SECONDS = 86_400
/** An event that waits longer though the sink takes events: delivery lags behind. */
const WAIT_SECONDS = 60
/** So long a daemon may take to open what it needs. */
const STARTING_SECONDS = 60
/** Share of the store's limit that is worth a word. */
const FULLNESS = 0.8
/** The worst first; within that the order of the page. */
export function troubles(status: StatusDocument): Trouble[] {
  const times = new Times(status.now)
  const found = [
    ...ofDaemon(status),
    // What fills the store comes before the store that is full.
    ...ofSink(status),
    ...ofStore(status, times),
    ...status.sources.flatMap(source => troubleOf(source, times)),
    ...ofReload(status),
    ...ofGaps(status, times),
    ...ofDeadLetters(status),
  ]
  return [...found.filter(one => one.level === 'bad'), ...found.filter(one => one.level === 'watch')]
}

/** What has not been opened yet is no trouble in the first minute. */
function comingUp(uptimeSeconds: number): Trouble['level'] {
  return uptimeSeconds < STARTING_SECONDS ? 'watch' : 'bad'
}

function ofDaemon({ state, sources, notReady, store, uptimeSeconds }: StatusDocument): Trouble[] {
  if (state === 'stopping' || state === 'stopped' || state === 'forced') {
    const todo =
      store?.durable === false
        ? 'Nothing: without state_dir what is not delivered by then is lost.'
        : 'Nothing: what is not delivered lies in the store and goes out after the next start.'
    return [{ level: 'bad', what: `The daemon is ${state}`, part: 'daemon', why: '', todo, see: GUIDES.stop }]
  }
  if (sources.length > 0 || !notReady.includes('daemon')) return []
  return [
    {
      ...{ level: comingUp(uptimeSeconds), what: 'No source has been started', part: 'sources', why: '' },
      see: GUIDES.source,
      todo: 'Wait a moment after a start; else look at the sources of the config.',
    },
  ]
}

function ofStore({ store, notReady }: StatusDocument, times: Times): Trouble[] {
  const see = GUIDES.refuses
  if (store === null) {
    if (!notReady.includes('store')) return []
    return [{ level: 'bad', what: 'The store is not open', part: 'delivery', why: '', todo: 'Look at the log.', see }]
  }
  const filled = `${formatBytes(store.bytes)} of ${formatBytes(store.maxBytes)}`
  if (store.state === 'failing') {
    const todo = 'Free space, check the disk and the owner of state_dir. Nothing is read on until a write works again.'
    return [
      { level: 'bad', what: 'The store fails', part: 'delivery', since: store.since, why: store.detail, todo, see },
    ]
  }
  if (store.state === 'full' || store.bytes >= store.maxBytes) {
    const todo =
      'Bring the sink back, or raise store.max_bytes and restart. Polls wait; APIC sockets are held back last.'
    const why = `${filled}: ${counted(store.events, 'event')} wait`
    return [{ level: 'bad', what: 'The store is full', part: 'delivery', since: store.since, why, todo, see }]
  }
  if (store.bytes >= FULLNESS * store.maxBytes) {
    const todo = 'See why events are not delivered before it is full.'
    return [{ level: 'watch', what: 'The store fills up', part: 'delivery', why: filled, todo, see: GUIDES.nearLimit }]
  }
  if (store.oldest !== null && -times.secondsUntil(store.oldest) > WAIT_SECONDS && !notReady.includes('sink')) {
    const why = `${counted(store.events, 'event')} wait, the oldest for ${span(-times.secondsUntil(store.oldest))}`
    const todo = 'Look at the NATS server: it acknowledges less than comes in.'
    return [
      {
        level: 'watch',
        what: 'Delivery lags behind',
        part: 'delivery',
        since: store.oldest,
        why,
        todo,
        see: GUIDES.behind,
      },
    ]
  }
  return []
}

function ofSink({ sink, notReady, store, uptimeSeconds }: StatusDocument): Trouble[] {
  if (!notReady.includes('sink')) return []
  const todo = `Events wait in the store${store?.durable === false ? ', in memory only,' : ''} and go out later. The message names what NATS said, or the difference of the stream.`
  const what = sink === null ? 'The sink has not been opened yet' : `The sink ${sink.name} is down`
  return [
    {
      level: sink === null ? comingUp(uptimeSeconds) : 'bad',
      what,
      part: 'delivery',
      since: sink?.since ?? null,
      why: sink?.detail ?? '',
      todo,
      see: GUIDES.sink,
    },
  ]
}

function ofReload({ reload }: StatusDocument): Trouble[] {
  if (reload === null || reload.ok) return []
  const [first = '', ...more] = reload.problems
  const why = more.length === 0 ? first : `${first} (and ${more.length} more)`
  const todo = 'Nothing was changed. Mend the file, try it with opswire check, reload again.'
  return [
    {
      level: 'watch',
      what: 'The last reload was refused',
      part: 'daemon',
      since: reload.at,
      why,
      todo,
      see: GUIDES.reload,
    },
  ]
}

function ofGaps({ gaps }: StatusDocument, times: Times): Trouble[] {
  const recent = gaps.filter(gap => gap.at !== null && -times.secondsUntil(gap.at) < GAP_SECONDS)
  const last = recent.at(-1)
  if (last === undefined) return []
  // No more of them are remembered one by one.
  const what = `${recent.length >= GAPS ? 'At least ' : ''}${counted(recent.length, 'gap')} in the last day`
  const todo = 'Events of that window may be missing from the stream. The reason says what can still be done.'
  return [
    {
      level: 'watch',
      what,
      part: 'gaps',
      last: last.at,
      why: `${last.source}: ${last.summary}`,
      todo,
      see: GUIDES.gap,
    },
  ]
}

function ofDeadLetters({ store, deadLetters }: StatusDocument): Trouble[] {
  if (store === null || store.deadLetters === 0) return []
  const last = deadLetters.at(-1)
  const what = counted(store.deadLetters, 'dead letter')
  const why = last === undefined ? 'from before the start' : `the last of ${last.source}: ${last.reason}`
  const todo = 'opswire replay --list shows them; after an upgrade --dead-letters reads them once more.'
  return [
    {
      level: 'watch',
      what,
      part: 'dead-letters',
      ...(last === undefined ? {} : { last: last.at }),
      why,
      todo,
      see: GUIDES.dead,
    },
  ]
}

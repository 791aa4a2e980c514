/** Real nats-servers for tests, and what a test wants to know of a stream. */
import { type NatsConfig, natsSchema } from '../../src/config/schema.ts'
import { makeFact, type OpsEvent, subjectOf } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { EventRecord } from '../../src/record.ts'
import { systemClock } from '../../src/scheduler/clock.ts'
import { type Tapped, tap } from '../../src/sinks/nats-tap.ts'
import { toolBinary } from './tools.ts'

export const NEWEST = '2.15.1'
export const OLDEST = '2.9.10'

/** The path of this version's nats-server, as `toolBinary` gives it. */
export function natsBinary(version: string, skip: (note: string) => never): Promise<string> {
  return toolBinary('nats-server', { exactly: version }, skip)
}

/** A checked `nats` block. */
export function natsConfig(url: string, more: Record<string, unknown> = {}): NatsConfig {
  return natsSchema.parse({ servers: [url], ...more })
}

const source = { system: 'apic', name: 'fabric-a' } as const

export interface EventOptions {
  readonly object?: string
  readonly raw?: unknown
  readonly summary?: string
  readonly recordedMs?: number
}

/** Event number `n` as the store would give it: valid against the schema, with `n` in its code. */
export function numbered(n: number, options: EventOptions = {}): Omit<EventRecord, 'seq'> {
  const { object = `uni/tn-${n}`, raw, summary = `Event number ${n}`, recordedMs = systemClock.wall() } = options
  const fact = makeFact(source, {
    family: 'eventRecord',
    key: ['numbered', n],
    type: 'apic.event.recorded',
    subject: object,
    partitionkey: object,
    severity: 'info',
    origin: 'live',
    data: {
      kind: 'event',
      summary,
      state: null,
      outcome: null,
      alertKey: null,
      resource: { kind: 'object', id: object },
      code: `E${n}`,
      ...(raw === undefined ? {} : { raw }),
    },
  })
  const event: OpsEvent = { ...fact, recordedtime: new Date(recordedMs).toISOString() }
  return {
    id: event.id,
    subject: subjectOf(source, fact),
    partitionkey: event.partitionkey,
    recordedMs,
    body: Buffer.from(JSON.stringify(event)),
  }
}

/** Everything that the stream holds now; each event is checked against the schema. */
export async function contents(config: NatsConfig, expected: number): Promise<Tapped[]> {
  const done = new AbortController()
  const all: Tapped[] = []
  const giveUp = systemClock.after(30_000, () => done.abort())
  try {
    if (expected === 0) return all
    for await (const message of tap(config, { signal: done.signal, from: 'start' })) {
      if (!message.subject.includes('._dead.')) eventSchema.parse(message.event)
      all.push(message)
      if (message.left === 0 && all.length >= expected) break
    }
  } finally {
    giveUp()
  }
  return all
}

/** The number that `numbered` put in. */
export function numberOf(message: Tapped): number {
  return Number(eventSchema.parse(message.event).data.code?.slice(1))
}

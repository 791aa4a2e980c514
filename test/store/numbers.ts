/** Real events with a number, for counting. */
import { makeFact, subjectOf } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { Append, NewEvent } from '../../src/store/contract.ts'

const source = { system: 'apic', name: 'fabric-a' } as const

/** A valid event told apart by `number`; `padding` bytes make it larger. */
export function numbered(number: number, padding = 0): NewEvent {
  const fact = makeFact(source, {
    family: 'eventRecord',
    key: [number],
    type: 'apic.event.recorded',
    subject: `subj-[uni]/rec-${number}`,
    partitionkey: `subj-[uni]/rec-${number}`,
    severity: 'info',
    origin: 'live',
    data: {
      kind: 'event',
      summary: `event ${number}`,
      state: null,
      outcome: null,
      alertKey: null,
      resource: { kind: 'object', id: 'uni' },
      ...(padding === 0 ? {} : { raw: 'x'.repeat(padding) }),
    },
  })
  const event = eventSchema.parse({ ...fact, recordedtime: '2026-02-03T04:05:06.789Z' })
  return {
    id: event.id,
    subject: subjectOf(source, fact),
    partitionkey: event.partitionkey,
    recordedMs: Date.UTC(2026, 1, 3, 4, 5, 6, 789) + number,
    body: Buffer.from(JSON.stringify(event)),
  }
}

/** `count` events from `first` on. */
export function range(first: number, count: number, padding = 0): NewEvent[] {
  return Array.from({ length: count }, (_, index) => numbered(first + index, padding))
}

/** An append of these events by `fabric-a`, unless said otherwise. */
export function append(events: readonly NewEvent[], more: Partial<Append> = {}): Append {
  return { source: 'fabric-a', feed: 'class/eventRecord', overdraft: false, events, ...more }
}

/** The number in a stored event. */
export function numberOf(event: { readonly body: Uint8Array }): number {
  const { data } = eventSchema.parse(JSON.parse(Buffer.from(event.body).toString('utf8')))
  return Number(data.summary.replace('event ', ''))
}

/** The event's envelope, its id rule and its place in the subject tree. Pure: no clock, no I/O. */
import { hash } from 'node:crypto'
import type { z } from 'zod'
import type {
  actorSchema,
  dataSchema,
  eventSchema,
  GAP_REASONS,
  gapSchema,
  jobSchema,
  KINDS,
  resourceSchema,
} from './event-schema.ts'
import { flatText } from './flat-text.ts'
import { blanked } from './unprintable.ts'

export type OpsEvent = z.infer<typeof eventSchema>
export type EventData = z.infer<typeof dataSchema>
export type Actor = z.infer<typeof actorSchema>
export type Resource = z.infer<typeof resourceSchema>
export type GapData = z.infer<typeof gapSchema>
export type JobData = z.infer<typeof jobSchema>
export type Kind = (typeof KINDS)[number]
export type GapReason = (typeof GAP_REASONS)[number]
export type Severity = OpsEvent['severitytext']
export type Origin = OpsEvent['origin']
export type System = 'apic' | 'raas' | 'vcd'

/** An event before the daemon has taken it down: everything but `recordedtime`, which the runner stamps. */
export type Fact = Omit<OpsEvent, 'recordedtime'>

/** What is counted, and told, of a fact that was committed. */
export type Brief = Pick<Fact, 'id' | 'type' | 'subject' | 'severitytext' | 'origin'> & {
  readonly data: Pick<EventData, 'kind' | 'summary' | 'outcome' | 'actor' | 'flags' | 'gap'>
}

/** Severity numbers on the OpenTelemetry log scale. */
export const SEVERITY_NUMBER: Record<Severity, number> = { critical: 21, major: 17, minor: 14, warning: 13, info: 9 }

/** Which source a fact is from: the kind of system and the configured name. */
export interface SourceRef {
  readonly system: System
  readonly name: string
}

/** What a normaliser says of one fact; `makeFact` adds what follows from it. */
export interface Draft {
  /** Class (APIC) or feed (RaaS, VCD): with the source's name and `key` it makes the id. */
  readonly family: string
  /**
   * What makes this fact this fact and no other: source facts only, never a local clock, counter or `origin`. As text: the
   * JSON of the elements, with commas between, where the maker can spell it faster than `JSON.stringify`.
   */
  readonly key: readonly unknown[] | string
  readonly type: string
  readonly subject: string
  readonly time?: string | undefined
  readonly partitionkey: string
  readonly severity: Severity
  readonly origin: Origin
  /** Becomes the fact's own. */
  readonly data: EventData
}

/**
 * The id rule: first 16 bytes, in hex, of SHA-256 over the JSON of `[source name, class or feed, …key]`.
 * The same fact read twice, after a restart or by another replica, has the same id.
 */
export function eventId(sourceName: string, family: string, key: Draft['key']): string {
  const text =
    typeof key === 'string'
      ? `[${JSON.stringify(sourceName)},${JSON.stringify(family)},${key}]`
      : JSON.stringify([sourceName, family, ...key])
  const digest = hash('sha256', text, 'hex')
  // As one piece: see `flatText`. The other half of the digest is not kept in memory with it.
  return [digest.slice(0, 16), digest.slice(16, 32)].join('')
}

const LONGEST_SUMMARY = 500
/** What most summaries are: one printable line already. */
const PLAIN = /^[!-~](?:[ -~]*[!-~])?$/

/** One printable line of bounded length: what a source's text may not make of a summary, a terminal would show. */
function oneLine(text: string, otherwise: string): string {
  if (text.length <= LONGEST_SUMMARY && PLAIN.test(text)) return text
  const line = blanked(text.slice(0, 4 * LONGEST_SUMMARY))
  if (line === '') return otherwise
  return line.length <= LONGEST_SUMMARY
    ? line
    : `${line.slice(0, LONGEST_SUMMARY - 1).replace(/[\uD800-\uDBFF]$/, '')}…`
}

const sourceNames = new WeakMap<SourceRef, string>()

/** `/<system>/<source>`, spelt once. */
function sourceName(source: SourceRef): string {
  const known = sourceNames.get(source)
  if (known !== undefined) return known
  const name = ['', source.system, source.name].join('/')
  sourceNames.set(source, name)
  return name
}

const types = new Map<string, string>()
/** More than an object model has classes with a state. */
const MOST_TYPES = 5000

/** The same type, as it was spelt first. */
function typeName(type: string): string {
  const known = types.get(type)
  if (known !== undefined) return known
  const name = flatText(type)
  if (types.size < MOST_TYPES) types.set(name, name)
  return name
}

/**
 * Builds the envelope around a normaliser's draft. Its summary becomes one printable line. Texts that a normaliser puts
 * together become one piece each: the whole event is written as JSON in half the time.
 */
export function makeFact(source: SourceRef, draft: Draft): Fact {
  const { data } = draft
  data.summary = flatText(oneLine(data.summary, draft.type))
  if (data.alertKey !== null) data.alertKey = flatText(data.alertKey)
  // What they are called is one piece: names of properties, and what `parseChangeSet` cut out.
  for (const change of data.changes ?? []) {
    if (change.old !== null) change.old = flatText(change.old)
    if (change.new !== null) change.new = flatText(change.new)
  }
  return {
    specversion: '1.0',
    id: eventId(source.name, draft.family, draft.key),
    source: sourceName(source),
    type: typeName(draft.type),
    subject: draft.subject,
    ...(draft.time === undefined ? {} : { time: draft.time }),
    datacontenttype: 'application/json',
    partitionkey: draft.partitionkey,
    severitytext: draft.severity,
    severitynumber: SEVERITY_NUMBER[draft.severity],
    origin: draft.origin,
    data,
  }
}

/** `<system>.<source>.<kind>.<severity>`: the NATS subject without the configured prefix. */
export function subjectOf(source: SourceRef, fact: Pick<Fact, 'severitytext' | 'data'>): string {
  return `${source.system}.${source.name}.${fact.data.kind}.${fact.severitytext}`
}

/** A hole that could not be closed whole. Its id is feed, from, to and reason: told again, it is the same gap. */
export function gapFact(source: SourceRef, gap: GapData): Fact {
  return makeFact(source, {
    family: 'gap',
    key: [gap.feed, gap.from, gap.to, gap.reason],
    type: 'opswire.gap',
    subject: gap.feed,
    ...(gap.to === null ? {} : { time: gap.to }),
    partitionkey: `${source.name}/${gap.feed}`,
    severity: 'major',
    origin: 'live',
    data: {
      kind: 'gap',
      summary: `Events of ${gap.feed} between ${gap.from ?? 'an unknown time'} and ${gap.to ?? 'now'} may be missing (${gap.reason.replaceAll('_', ' ')})`,
      state: null,
      outcome: null,
      alertKey: null,
      resource: { kind: 'feed', id: `${source.name}/${gap.feed}` },
      gap,
    },
  })
}

/** Made-up happenings for the tests of the ops room: one of each type, facts, and a day in the life of a daemon. */
import { expect } from 'vitest'
import {
  type EventData,
  type Fact,
  gapFact,
  makeFact,
  type Origin,
  type Severity,
  type SourceRef,
} from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { createOps, type Ops, type OpsOptions } from '../../src/ops/ops.ts'
import type { Happening, Report } from '../../src/report.ts'
import { ManualClock } from '../support/manual-clock.ts'

export const FABRIC: SourceRef = { system: 'apic', name: 'fabric-a' }
export const SALT: SourceRef = { system: 'raas', name: 'salt' }
export const CLOUD: SourceRef = { system: 'vcd', name: 'cloud' }

/** 2026-02-03T04:05:06.789Z, where the tests' clocks start. */
export const START = Date.UTC(2026, 1, 3, 4, 5, 6, 789)

let serial = 0

/** A valid fact of this kind; `data` adds to what every event has. */
export function fact(
  source: SourceRef,
  kind: EventData['kind'],
  severity: Severity = 'info',
  data: Partial<EventData> = {},
  origin: Origin = 'live',
): Fact {
  const made = makeFact(source, {
    family: kind,
    key: [serial++],
    type: `${source.system}.${kind}.made`,
    subject: 'somewhere',
    time: '2026-02-03T04:05:06.000Z',
    partitionkey: 'somewhere',
    severity,
    origin,
    data: {
      kind,
      summary: 'Something happened',
      state: null,
      outcome: null,
      alertKey: null,
      resource: { kind: 'thing', id: 'somewhere' },
      ...data,
    },
  })
  valid(made)
  return made
}

function valid(made: Fact): void {
  expect(eventSchema.safeParse({ ...made, recordedtime: '2026-02-03T04:05:06.789Z' }).error).toBeUndefined()
}

export function appended(source: SourceRef, feed: string, facts: readonly Fact[], ms = 2): Happening {
  return { type: 'appended', source: source.name, feed, facts, duplicates: 0, ms }
}

export function gapOf(source: SourceRef, feed: string): Fact {
  const made = gapFact(source, {
    feed,
    classes: ['faultInst'],
    from: '2026-02-03T04:00:00.000Z',
    to: '2026-02-03T04:05:00.000Z',
    reason: 'outage_no_history',
    recovered: 3,
  })
  valid(made)
  return made
}

export function declare(source: SourceRef, required = true, tlsVerified = true): Happening {
  const address = `https://${source.name}.example.net`
  return { type: 'source_declared', source: source.name, system: source.system, required, address, tlsVerified }
}

/** One of each type: the type checker asks for the ones that a later issue adds. */
export const ONE_OF_EACH: { readonly [T in Happening['type']]: Extract<Happening, { type: T }> } = {
  source_declared: {
    type: 'source_declared',
    source: 'fabric-a',
    system: 'apic',
    required: true,
    address: 'https://fabric-a.example.net',
    tlsVerified: true,
  },
  source_state: { type: 'source_state', source: 'fabric-a', state: 'up' },
  feed_declared: { type: 'feed_declared', source: 'fabric-a', feed: 'faultInst', proofBoundMs: 60_000 },
  feed_state: { type: 'feed_state', source: 'fabric-a', feed: 'faultInst', state: 'live' },
  feed_proof: { type: 'feed_proof', source: 'fabric-a', feed: 'faultInst' },
  feed_mode: { type: 'feed_mode', source: 'fabric-a', feed: 'faultInst', mode: 'push' },
  feed_late: { type: 'feed_late', source: 'fabric-a', feed: 'faultInst', seconds: 0.3 },
  feed_cursor: { type: 'feed_cursor', source: 'fabric-a', feed: 'faultInst', cursor: { newest: 'f-17', at: 17 } },
  feed_recovered: { type: 'feed_recovered', source: 'fabric-a', feed: 'faultInst', count: 4 },
  request: { type: 'request', source: 'fabric-a', operation: 'login', result: 'ok', ms: 120 },
  lease_renewed: { type: 'lease_renewed', source: 'fabric-a', lease: 'session', result: 'ok' },
  lease_lost: {
    type: 'lease_lost',
    source: 'fabric-a',
    lease: 'subscription',
    name: 'faultInst',
    reason: 'refused three times',
  },
  reconnect: { type: 'reconnect', source: 'fabric-a', reason: 'socket_lost' },
  source_paused: { type: 'source_paused', source: 'fabric-a', paused: true, full: true, ms: 0 },
  controller: { type: 'controller', source: 'fabric-a', address: 'https://apic2.example.net' },
  credential_expiry: { type: 'credential_expiry', source: 'fabric-a', atMs: START + 86_400_000 },
  certificate_expiry: {
    type: 'certificate_expiry',
    source: 'fabric-a',
    host: 'apic1.example.net',
    atMs: START + 90 * 86_400_000,
  },
  advice: { type: 'advice', source: 'fabric-a', text: 'Ask for a longer refreshTimeoutSeconds.' },
  appended: { type: 'appended', source: 'fabric-a', feed: 'faultInst', facts: [], duplicates: 2, ms: 3 },
  gap: {
    type: 'gap',
    source: 'fabric-a',
    feed: 'faultInst',
    reason: 'outage_no_history',
    summary: 'Events of faultInst may be missing',
  },
  dead_letter: { type: 'dead_letter', source: 'fabric-a', reason: 'not JSON', bytes: 42, key: 'd-1' },
  dead_letters_dropped: { type: 'dead_letters_dropped', source: 'fabric-a', count: 5 },
  feed_gone: { type: 'feed_gone', source: 'fabric-a', feed: 'faultInst' },
  store_state: { type: 'store_state', state: 'ok', detail: '/var/lib/opswire' },
  sink_state: { type: 'sink_state', sink: 'nats', up: true, detail: 'nats://127.0.0.1:4222' },
  sink_setback: { type: 'sink_setback', sink: 'nats', detail: 'it ends at 7', lacking: 4, whole: false },
  sink_server: { type: 'sink_server', address: '127.0.0.1:4222', version: '2.15.1', apiLevel: 5, stream: 'OPSWIRE' },
  published: { type: 'published', result: 'ok', count: 2, recordedMs: [START - 20, START - 300] },
  source_gone: { type: 'source_gone', source: 'fabric-a' },
  reload: { type: 'reload', ok: false, problems: ['opswire.yaml:1:1: is empty'] },
  daemon: { type: 'daemon', state: 'started' },
}

/** A hand-turned clock whose event loop can be held up: time passes and no timer fires. */
export class StallingClock extends ManualClock {
  #stalled = 0

  override now(): number {
    return super.now() + this.#stalled
  }

  stall(ms: number): void {
    this.#stalled += ms
  }
}

export interface TestOps {
  readonly ops: Ops
  readonly report: Report
  readonly clock: StallingClock
  /** The log's lines, parsed. */
  readonly lines: Record<string, unknown>[]
  /** The same, as written. */
  readonly text: string[]
}

export const STORE = {
  unacked: 7,
  bytes: 7000,
  maxBytes: 100_000,
  oldestMs: START - 5000,
  deadLetters: 1,
  durable: true,
}

/** An ops room on a clock turned by hand, its log in an array. Debug lines are not written unless asked for. */
export function testOps(options: Partial<OpsOptions> = {}, clock = new StallingClock(START)): TestOps {
  const lines: Record<string, unknown>[] = []
  const text: string[] = []
  const ops = createOps({
    clock,
    version: '1.2.3',
    node: 'v26.10.0',
    logLevel: 'info',
    logSink: line => {
      text.push(line)
      lines.push(JSON.parse(line) as Record<string, unknown>)
    },
    config: { path: '/etc/opswire/opswire.yaml', hash: 'ab12' },
    pull: {
      store: () => STORE,
      leases: () => [],
      sessions: () => [],
      gauges: () => ({ faults: [], health: [], nodes: [] }),
    },
    ...options,
  })
  return { ops, report: ops.report, clock, lines, text }
}

/** Reports what makes everything ready: three sources with a feed each, store and sink. */
export function makeReady(report: Report, sources: readonly SourceRef[] = [FABRIC, SALT, CLOUD]): void {
  report({ type: 'daemon', state: 'started' })
  report({ type: 'store_state', state: 'ok', detail: '' })
  report({ type: 'sink_state', sink: 'nats', up: true, detail: '' })
  for (const source of sources) {
    report(declare(source))
    report({ type: 'feed_declared', source: source.name, feed: 'audit', proofBoundMs: 60_000 })
    report({ type: 'source_state', source: source.name, state: 'up' })
    report({ type: 'feed_state', source: source.name, feed: 'audit', state: 'live' })
    report({ type: 'feed_proof', source: source.name, feed: 'audit' })
  }
}

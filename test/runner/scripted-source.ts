/** A source whose sessions say what the test tells them to, on a clock turned by hand. */
import { afterEach } from 'vitest'
import { Retryable } from '../../src/errors.ts'
import type { OpsEvent } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import type { FeedState, Happening } from '../../src/report.ts'
import { BatchQueue } from '../../src/subscribers/batch-queue.ts'
import type { Batch, OpenContext, Session } from '../../src/subscribers/contract.ts'
import { type Runner, startRunner } from '../../src/subscribers/runner.ts'
import { ManualClock } from '../support/manual-clock.ts'
import { MemoryStore } from '../support/memory-store.ts'

const SOURCE = 'fabric-a'
export const BOUND_MS = 120_000

/** A session whose feeds say what the test tells them to. */
export class ScriptedSession implements Session {
  readonly queue = new BatchQueue()
  readonly context: OpenContext
  readonly retireBy?: number
  ready?: Promise<void>

  constructor(context: OpenContext, feeds: readonly string[], retireInMs?: number) {
    this.context = context
    if (retireInMs !== undefined) this.retireBy = context.clock.now() + retireInMs
    for (const feed of feeds) {
      context.report({ type: 'feed_declared', source: SOURCE, feed, proofBoundMs: BOUND_MS })
      this.say(feed, 'resyncing')
    }
  }

  say(feed: string, state: FeedState, reason?: string): void {
    const why = reason === undefined ? {} : { reason, code: 'subscription_lost' as const }
    this.context.report({ type: 'feed_state', source: SOURCE, feed, state, ...why })
    if (state === 'live') this.prove(feed)
  }

  prove(...feeds: string[]): void {
    for (const feed of feeds) this.context.report({ type: 'feed_proof', source: SOURCE, feed })
  }

  live(...feeds: string[]): this {
    for (const feed of feeds) this.say(feed, 'live')
    return this
  }

  die(text = 'cut'): void {
    this.queue.fail(new Retryable('socket_lost', text))
  }

  [Symbol.asyncIterator](): AsyncIterator<Batch> {
    return this.queue[Symbol.asyncIterator]()
  }

  async close(): Promise<void> {
    this.queue.end()
  }

  margins() {
    return {}
  }
}

let runner: Runner | undefined

afterEach(async () => {
  await runner?.stop(AbortSignal.abort())
})

/** Starts the source; the stop comes with the end of each test. */
export function rig(open: (context: OpenContext, count: number) => ScriptedSession) {
  const clock = new ManualClock()
  const store = new MemoryStore()
  const happenings: Happening[] = []
  const sessions: ScriptedSession[] = []
  const started = startRunner({
    subscriber: {
      ref: { system: 'apic', name: SOURCE },
      pushes: true,
      async open(context) {
        const session = open(context, sessions.length)
        sessions.push(session)
        return session
      },
    },
    store,
    clock,
    report: happening => happenings.push(happening),
    stateDir: undefined,
  })
  runner = started
  const events = (): OpsEvent[] =>
    store.rows.map(row => eventSchema.parse(JSON.parse(new TextDecoder().decode(row.body))))
  /** `up`, `degraded: <why>`, … as published. */
  const news = (): string[] =>
    events().map(event => event.type.replace('opswire.source.', '') + (event.data.cause ? `: ${event.data.cause}` : ''))
  const states = (): string[] =>
    happenings.flatMap(one =>
      one.type === 'source_state' ? [`${one.state}${one.reason ? `: ${one.reason}` : ''}`] : [],
    )
  /** Told of a feed to whoever listens. */
  const told = (feed: string): string[] =>
    happenings.flatMap(one => (one.type === 'feed_state' && one.feed === feed ? [one.state] : []))
  const last = (): ScriptedSession => {
    const session = sessions.at(-1)
    if (session === undefined) throw new Error('no session yet')
    return session
  }
  return { clock, events, news, states, told, happenings, sessions, last, runner: started }
}

/** The parts that only reckon: parse, normalise, id, encode. Each beside what the bare loop does in its place. */
import { hash } from 'node:crypto'
import { eventId, type Fact } from '../src/event.ts'
import type { ManagedObject } from '../src/record.ts'
import { systemClock } from '../src/scheduler/clock.ts'
import type { Append, Appended } from '../src/store/contract.ts'
import { type Change, decodeFrame } from '../src/subscribers/apic/decode.ts'
import { normalise } from '../src/subscribers/apic/normalise.ts'
import { Intake } from '../src/subscribers/intake.ts'
import { MemoryStore } from '../test/support/memory-store.ts'
import { smallest } from './bare-envelope.ts'
import type { Contest, Prepared } from './contest.ts'
import { fault, frame, frameOf, type Pushed } from './frames.ts'

export const REF = { system: 'apic', name: 'fabric-a' } as const
const CONTEXT = { source: REF, raw: true, origin: 'live' } as const
/** Events of one commit, as the outbox cuts them. */
export const BATCH = 512

/** Pushes about `objects` objects, and what is known of them before. */
export class Pushes {
  readonly cls: Pushed
  readonly frames: readonly string[]
  readonly #objects: number
  readonly #atMs = systemClock.wall()

  /** `from`: the number of the first one, for pushes that are others than those before it. */
  constructor(cls: Pushed, events: number, objects: number, from = 0) {
    this.cls = cls
    this.#objects = objects
    this.frames = Array.from({ length: events }, (_, n) => frame(cls, from + n, objects, this.#atMs + from + n))
  }

  /** A new one each time: decoded objects are changed by who takes them. */
  changes(): Change[] {
    return this.frames.map(text => only(decodeFrame(text).changes))
  }

  /** The mirror as the first read leaves it. */
  mirror(): Map<string, ManagedObject> {
    const mirror = new Map<string, ManagedObject>()
    for (let object = 0; this.cls === 'faultInst' && object < this.#objects; object++) {
      const before = fault(object, this.#atMs - 24 * 3_600_000)
      learn(mirror, only(decodeFrame(frameOf(this.cls, before)).changes))
    }
    return mirror
  }

  /** Throws when a push makes no fact: then something else would be measured. */
  facts(): { readonly fact: Fact; readonly object: ManagedObject | undefined }[] {
    const mirror = this.mirror()
    return this.changes().map(change => {
      const fact = learn(mirror, change)
      if (fact === undefined) throw new Error(`${this.cls}: a push that makes no fact`)
      return { fact, object: mirror.get(change.dn) }
    })
  }
}

function learn(mirror: Map<string, ManagedObject>, change: Change): Fact | undefined {
  const { fact, mirror: learned } = normalise(CONTEXT, change, mirror.get(change.dn))
  if (learned?.object !== null && learned !== undefined) mirror.set(learned.key, learned.object)
  return fact
}

function only<T>(list: readonly T[]): T {
  const [one] = list
  if (one === undefined) throw new Error('nothing there')
  return one
}

/** Each of `items` once; throws unless all gave something. */
function each<T>(items: readonly T[], work: (item: T) => unknown): Prepared {
  let made = 0
  return {
    run: () => {
      for (const item of items) if (work(item) !== undefined) made++
    },
    end: () => {
      if (made !== items.length) throw new Error(`${made} of ${items.length} made something`)
    },
  }
}

export function pureContests(events: number, objects: number): Contest[] {
  const records = new Pushes('eventRecord', events, objects)
  const faults = new Pushes('faultInst', events, objects)
  return [...[records, faults].flatMap(ofClass), ids(records), encode(records)]
}

function ofClass(pushes: Pushes): Contest[] {
  const { cls, frames } = pushes
  const events = frames.length
  return [
    {
      name: `parse, ${cls}`,
      bareName: 'JSON.parse',
      events,
      ours: () => each(frames, text => only(decodeFrame(text).changes)),
      bare: () => each(frames, text => JSON.parse(text) as unknown),
    },
    {
      name: `normalise, ${cls}`,
      bareName: 'smallest envelope',
      events,
      ours: () => {
        const mirror = pushes.mirror()
        return each(pushes.changes(), change => learn(mirror, change))
      },
      bare: () => each(pushes.changes(), ({ attributes }) => smallest(cls, attributes)),
    },
  ]
}

function ids(pushes: Pushes): Contest {
  const dns = pushes.changes().map(change => change.dn)
  return {
    name: 'ids',
    bareName: 'crypto.hash of the dn',
    events: dns.length,
    ours: () => each(dns, dn => eventId(REF.name, pushes.cls, [dn])),
    bare: () => each(dns, dn => hash('sha256', dn, 'hex')),
  }
}

/** Says that all is stored, and keeps what it was given. */
class Taker extends MemoryStore {
  readonly appends: Append[] = []

  override append(append: Append): Promise<Appended> {
    this.appends.push(append)
    return Promise.resolve({ fresh: append.events.map((_, index) => index), deadKeys: [] })
  }
}

type Told = ReturnType<Pushes['facts']>

/** As the runner would: one batch of `BATCH` after the other, here into a store that only takes. */
async function takeIn(told: Told, feed: string): Promise<Append[]> {
  const store = new Taker()
  const intake = new Intake({ ref: REF, store, clock: systemClock, report: () => undefined, overdraft: true })
  const { signal } = new AbortController()
  for (let from = 0; from < told.length; from += BATCH) {
    const part = told.slice(from, from + BATCH)
    const mirror = part.flatMap(({ object }) => (object === undefined ? [] : [{ key: object.key, object }]))
    await intake.take({ feed, facts: part.map(one => one.fact), mirror }, signal)
  }
  return store.appends
}

/** What the store is given for these pushes: one commit each. Anew each time, for the store may make it its own. */
export function appendsOf(pushes: Pushes): Promise<Append[]> {
  return takeIn(pushes.facts(), `class/${pushes.cls}`)
}

function encode(pushes: Pushes): Contest {
  const told = pushes.facts()
  const envelopes = pushes.changes().map(({ attributes }) => smallest(pushes.cls, attributes).body)
  return {
    name: 'encode',
    bareName: 'JSON.stringify of the smallest envelope',
    events: told.length,
    ours: () => {
      let made = 0
      return {
        run: async () => {
          for (const { events } of await takeIn(told, `class/${pushes.cls}`)) made += events.length
        },
        end: () => {
          if (made !== told.length) throw new Error(`${made} of ${told.length} were encoded`)
        },
      }
    },
    bare: () => each(envelopes, body => Buffer.from(JSON.stringify(body))),
  }
}

/** The outbox by itself: the order of an object holds across feeds, and no cursor runs ahead of what it covers. */
import { describe, expect, it } from 'vitest'
import { type Fact, makeFact } from '../../src/event.ts'
import { eventSchema } from '../../src/event-schema.ts'
import { type Item, Outbox } from '../../src/subscribers/apic/outbox.ts'
import { BatchQueue } from '../../src/subscribers/batch-queue.ts'
import type { Batch, OpenContext } from '../../src/subscribers/contract.ts'
import { speller, takenDown } from '../../src/subscribers/spelt.ts'
import { settle } from '../support/manual-clock.ts'

/** More than one commit takes. */
const MANY = 600
const TIME = '2026-02-03T04:05:06.789Z'

function make(spell?: OpenContext['spell']): { outbox: Outbox; queue: BatchQueue } {
  const queue = new BatchQueue()
  const nothing = (): void => undefined
  return { queue, outbox: new Outbox(queue, nothing, nothing, spell) }
}

/** The next version of an object, in the mirror only. */
function version(key: string, number: number): Item {
  return { mirror: { key, object: { key, family: 'fvCEp', version: String(number), attributes: {} } } }
}

/** An event about an object, as log records are. */
function event(key: string, number: number): Item {
  return { fact: factOf(key, number) }
}

function factOf(key: string, number: number): Fact {
  const resource = { kind: 'node', id: key }
  const data = { kind: 'event', summary: String(number), state: null, outcome: null, alertKey: null, resource } as const
  const fact = makeFact(
    { system: 'apic', name: 'fabric-a' },
    {
      family: 'eventRecord',
      key: [key, number],
      type: 'apic.event.recorded',
      subject: key,
      time: TIME,
      partitionkey: key,
      severity: 'info',
      origin: 'live',
      data,
    },
  )
  eventSchema.parse({ ...fact, recordedtime: TIME })
  return fact
}

/** All that is committed until the outbox has ended, in order. */
async function committed({ outbox, queue }: ReturnType<typeof make>): Promise<Batch[]> {
  void outbox.end().then(() => queue.end())
  return Array.fromAsync(queue)
}

/** The numbers of what a batch holds of an object. */
function numbers({ facts, mirror }: Batch, key: string): number[] {
  return [
    ...facts.flatMap(fact => (fact.partitionkey === key ? [Number(fact.data.summary)] : [])),
    ...(mirror ?? []).flatMap(change => (change.key === key ? [Number(change.object?.version)] : [])),
  ]
}

const rising = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe('an object of which two feeds tell', () => {
  it.each([
    ['events', event],
    ['versions', version],
  ])('is told in its order though the first feed has more than one commit takes: %s', async (_, item) => {
    const box = make()
    for (const number of rising(MANY)) box.outbox.add('a', item('X', number))
    box.outbox.add('b', item('X', MANY))
    box.outbox.add('a', item('X', MANY + 1))
    const batches = await committed(box)
    expect(batches.length).toBeGreaterThan(1)
    expect(batches.flatMap(batch => numbers(batch, 'X'))).toEqual(rising(MANY + 2))
  })

  it('is told in its order while one of its commits is under way', async () => {
    const box = make()
    for (const number of rising(MANY)) box.outbox.add('a', version('X', number))
    const batches: Batch[] = []
    for await (const batch of box.queue) {
      batches.push(batch)
      if (batches.length > 1) continue
      box.outbox.add('b', version('X', MANY))
      void box.outbox.end().then(() => box.queue.end())
    }
    expect(batches.flatMap(batch => numbers(batch, 'X'))).toEqual(rising(MANY + 1))
  })
})

describe('the cursor of a feed', () => {
  it('waits for what the feed has in the part of another', async () => {
    const box = make()
    for (const number of rising(MANY)) box.outbox.add('a', version('X', number))
    box.outbox.add('b', version('X', MANY))
    box.outbox.add('b', version('Y', 0), { readTo: 1 })
    const batches = await committed(box)
    const last = batches.findIndex(batch => numbers(batch, 'X').includes(MANY))
    const cursor = batches.findIndex(batch => batch.cursor !== undefined)
    expect(batches[cursor]).toMatchObject({ feed: 'b', cursor: { readTo: 1 } })
    expect(cursor).toBeGreaterThan(last)
    expect(last).toBeGreaterThan(0)
  })

  it('of either of two feeds that wait for each other comes', async () => {
    const box = make()
    box.outbox.add('a', version('X', 0))
    box.outbox.add('b', version('Y', 0))
    box.outbox.add('a', version('Y', 1), { readTo: 1 })
    box.outbox.add('b', version('X', 1), { readTo: 2 })
    const batches = await committed(box)
    for (const key of ['X', 'Y']) expect(batches.flatMap(batch => numbers(batch, key))).toEqual([0, 1])
    // Neither before what it covers.
    const cursorOf = (feed: string): number => batches.findIndex(one => one.feed === feed && one.cursor !== undefined)
    const lastOf = (key: string): number => batches.findIndex(batch => numbers(batch, key).includes(1))
    expect(cursorOf('a')).toBeGreaterThanOrEqual(lastOf('Y'))
    expect(cursorOf('b')).toBeGreaterThanOrEqual(lastOf('X'))
  })

  it('does not hold up the rest of its feed behind a loud one', async () => {
    const { outbox, queue } = make()
    let number = 0
    const loud = (): void => {
      for (let index = 0; index < 512; index++) outbox.add('a', version(`A${number % 2000}`, number++))
    }
    loud()
    loud()
    outbox.add('b', version('A0', 1), { readTo: 1 })
    outbox.add('b', version('B0', 1))
    let rounds = 0
    for await (const batch of queue) {
      if (batch.feed === 'b' || ++rounds === 20) break
      loud()
    }
    expect(rounds).toBeLessThan(20)
  })
})

describe('flushed', () => {
  it('waits for what the feed has in the part of another', async () => {
    const { outbox, queue } = make()
    for (const number of rising(MANY)) outbox.add('a', version('X', number))
    outbox.add('b', version('X', MANY))
    let isFlushed = false
    void outbox.flushed('b').then(() => {
      isFlushed = true
    })
    const batches = queue[Symbol.asyncIterator]()
    const { value: first } = await batches.next()
    await settle()
    expect([numbers(first, 'X').includes(MANY), isFlushed]).toEqual([false, false])
    // To ask for the next is to say that the one before is committed.
    const { value: second } = await batches.next()
    await settle()
    expect([numbers(second, 'X').includes(MANY), isFlushed]).toEqual([true, false])
    const end = batches.next()
    await settle()
    expect(isFlushed).toBe(true)
    await outbox.end()
    queue.end()
    expect((await end).done).toBe(true)
  })

  it('waits for nothing when the feed has nothing to commit', async () => {
    const { outbox, queue } = make()
    outbox.add('a', version('X', 0))
    await outbox.flushed('b')
    queue.discard()
    await outbox.end()
  })
})

describe('what is committed', () => {
  it('is forgotten: an object that one feed told of is the next one’s own after that, with its cursor', async () => {
    const { outbox, queue } = make()
    const batches = queue[Symbol.asyncIterator]()
    outbox.add('a', version('X', 0))
    outbox.add('b', version('X', 1))
    const { value: first } = await batches.next()
    const next = batches.next()
    await Promise.all([outbox.flushed('a'), outbox.flushed('b')])
    outbox.add('b', version('X', 2), { readTo: 1 })
    const { value: second } = await next
    expect([first.feed, numbers(first, 'X')]).toEqual(['a', [0, 1]])
    expect([second.feed, numbers(second, 'X'), second.cursor]).toEqual(['b', [2], { readTo: 1 }])
    const end = batches.next()
    await outbox.end()
    queue.end()
    expect((await end).done).toBe(true)
  })
})

describe('a fact that is spelt out before it waits', () => {
  const spell = speller({ system: 'apic', name: 'fabric-a' })

  it('keeps its place in the order of its object, and nothing of it waits as an object', async () => {
    const box = make(spell)
    for (const number of rising(MANY)) box.outbox.add('a', event('X', number))
    const batches = await committed(box)
    expect(batches.flatMap(batch => batch.facts)).toEqual([])
    const told = batches.flatMap(batch => batch.spelt ?? [])
    expect(told.map(one => Number(one.brief.data.summary))).toEqual(rising(MANY))
  })

  it('becomes the same event as one that is spelt out when it is taken down, in whatever year', () => {
    const fact = { ...factOf('X', 7), subject: 'grün/𝄞' }
    for (const ms of [Date.parse(TIME), Date.UTC(12_026, 1, 3), Date.UTC(-1, 1, 3)]) {
      const recordedtime = new Date(ms).toISOString()
      const { body, ...rest } = takenDown(spell(fact), ms, recordedtime)
      expect(Buffer.from(body).toString('utf8')).toBe(JSON.stringify({ ...fact, recordedtime }))
      expect(rest).toEqual({
        id: fact.id,
        subject: 'apic.fabric-a.event.info',
        partitionkey: 'X',
        recordedMs: ms,
      })
    }
  })
})

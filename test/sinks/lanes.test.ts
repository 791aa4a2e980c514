import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EventRecord } from '../../src/record.ts'
import { type Entry, Lanes } from '../../src/sinks/lanes.ts'

function row(seq: number, partitionkey: string, subject = 'apic.fabric-a.fault.major'): EventRecord {
  return { seq, id: `id-${seq}`, subject, partitionkey, recordedMs: seq, body: new Uint8Array(10) }
}

function takeAll(lanes: Lanes): Entry[] {
  const taken: Entry[] = []
  for (let entry = lanes.peek(); entry !== undefined; entry = lanes.peek()) {
    lanes.take(entry)
    taken.push(entry)
  }
  return taken
}

const seqs = (entries: readonly Entry[]): number[] => entries.map(entry => entry.seq)

describe('lanes', () => {
  it('gives one row of a key at a time, in order', () => {
    const lanes = new Lanes(0)
    for (const [index, key] of ['a', 'a', 'b', 'a'].entries()) lanes.add(row(index + 1, key))
    const first = takeAll(lanes)
    expect(seqs(first)).toEqual([1, 3])
    if (first[0] !== undefined) lanes.done(first[0])
    expect(seqs(takeAll(lanes))).toEqual([2])
  })

  it('keeps apart the same key of two sources', () => {
    const lanes = new Lanes(0)
    lanes.add(row(1, 'uni/tn-a', 'apic.fabric-a.audit.info'))
    lanes.add(row(2, 'uni/tn-a', 'apic.fabric-b.audit.info'))
    lanes.add(row(3, 'uni/tn-a', 'apic.fabric-a.fault.major'))
    expect(seqs(takeAll(lanes))).toEqual([1, 2])
  })

  it('moves the floor over holes in seq, but not over rows that are not done', () => {
    const lanes = new Lanes(3)
    for (const seq of [5, 6, 9]) lanes.add(row(seq, `key-${seq}`))
    const [five, six, nine] = takeAll(lanes)
    if (five === undefined || six === undefined || nine === undefined) throw new Error('missing')
    lanes.done(six)
    expect(lanes.floor).toBe(3)
    lanes.done(five)
    expect(lanes.floor).toBe(6)
    lanes.done(nine)
    lanes.done(nine)
    expect(lanes.floor).toBe(9)
    expect(lanes.bytes).toBe(0)
    expect(lanes.size).toBe(3)
    lanes.prune(8)
    expect(lanes.size).toBe(1)
  })

  it('gives back what was put back before all others, oldest first, and drops what is done', () => {
    const lanes = new Lanes(0)
    for (let seq = 1; seq <= 6; seq++) lanes.add(row(seq, `key-${seq}`))
    const sent: Entry[] = []
    for (let turn = 0; turn < 4; turn++) {
      const entry = lanes.peek()
      if (entry === undefined) throw new Error('missing')
      lanes.take(entry)
      sent.push(entry)
    }
    if (sent[1] !== undefined) lanes.done(sent[1])
    lanes.putBack(sent.toReversed())
    expect(seqs(takeAll(lanes))).toEqual([1, 3, 4, 5, 6])
  })

  it('settles rows that were never sent: the look-up found them', () => {
    const lanes = new Lanes(0)
    const entries = ['a', 'a', 'a', 'b'].map((key, index) => lanes.add(row(index + 1, key)))
    for (const entry of entries.slice(0, 2)) lanes.done(entry)
    expect(lanes.floor).toBe(2)
    expect(seqs(takeAll(lanes)).sort()).toEqual([3, 4])
  })

  it('stays small over many rows', () => {
    const lanes = new Lanes(0)
    for (let seq = 1; seq <= 50_000; seq++) {
      lanes.add(row(seq, `key-${seq % 100}`))
      const entry = lanes.peek()
      if (entry === undefined) throw new Error('missing')
      lanes.take(entry)
      lanes.done(entry)
      lanes.prune(lanes.floor)
    }
    expect(lanes.floor).toBe(50_000)
    expect(lanes.size).toBe(0)
  })

  it('keeps the order of each key, whatever is taken, put back, and settled before its turn', () => {
    const step = fc.record({
      what: fc.constantFrom('add', 'add', 'take', 'done', 'done', 'back', 'found'),
      at: fc.nat(99),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), steps => {
        const lanes = new Lanes(0)
        const held: Entry[] = []
        const sent: Entry[] = []
        const keys = new Map<Entry, string>()
        const laneOf = (entry: Entry): Entry[] => held.filter(other => keys.get(other) === keys.get(entry))
        for (const { what, at } of steps) {
          const open = held.filter(entry => entry.state !== 'done')
          if (what === 'add') {
            const [key, source] = [`key-${at % 3}`, `apic.fabric-${at % 2}.event.${at % 5}`]
            const entry = lanes.add(row(held.length + 1, key, source))
            keys.set(entry, `${at % 2} ${key}`)
            held.push(entry)
          } else if (what === 'take') {
            const entry = lanes.peek()
            if (entry === undefined) {
              expect(
                open.filter(one => one.state !== 'sent' && laneOf(one).every(other => other.state !== 'sent')),
              ).toEqual([])
              continue
            }
            expect(laneOf(entry).find(one => one.state !== 'done')).toBe(entry)
            lanes.take(entry)
            sent.push(entry)
          } else if (what === 'back') {
            lanes.putBack(sent.splice(0))
          } else {
            const among = what === 'done' ? sent : open
            const [entry] = among.slice(at % Math.max(1, among.length))
            if (entry !== undefined) lanes.done(entry)
          }
          const first = held.find(entry => entry.state !== 'done')
          expect(lanes.floor).toBe(first === undefined ? held.length : first.seq - 1)
          expect(lanes.bytes).toBe(held.filter(entry => entry.state !== 'done').length * 10)
        }
      }),
    )
  })
})

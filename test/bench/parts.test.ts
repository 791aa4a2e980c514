/** The benchmark's parts do what they say before anybody measures them; no time is looked at. */
import { describe, expect, it } from 'vitest'
import { type Attributes, fullSize, smallest } from '../../bench/bare-envelope.ts'
import { eachOnce } from '../../bench/broker.ts'
import { type Contest, contend } from '../../bench/contest.ts'
import { fault, type Pushed } from '../../bench/frames.ts'
import { appendsOf, Pushes, pureContests } from '../../bench/part-pure.ts'
import { storeContests } from '../../bench/part-store.ts'
import { summary } from '../../bench/profile.ts'
import { eventSchema } from '../../src/event-schema.ts'

const OBJECTS = 10
const NOW = Date.UTC(2026, 1, 3, 4, 5, 6, 789)

/** The full-size envelopes of some pushes and the daemon's events of the same, as they go to the stream. */
async function besides(cls: Pushed): Promise<{ bare: object[]; smallest: object[]; ours: Uint8Array[] }> {
  const pushes = new Pushes(cls, 3 * OBJECTS, OBJECTS)
  const objects = Array.from({ length: OBJECTS }, (_, object): [string, Attributes] => {
    const before = fault(object, NOW)
    return [before['dn'] ?? '', before]
  })
  const full = fullSize(() => NOW, new Map(objects))
  return {
    bare: pushes.changes().map(({ attributes }) => full(cls, attributes).body),
    smallest: pushes.changes().map(({ attributes }) => smallest(cls, attributes).body),
    ours: (await appendsOf(pushes)).flatMap(({ events }) => events.map(event => event.body)),
  }
}

const bytesOf = (bodies: readonly object[]): number =>
  bodies.reduce((sum, body) => sum + Buffer.byteLength(JSON.stringify(body)), 0)

describe.each(['eventRecord', 'faultInst'] as const)('the envelopes of %s', cls => {
  it('in full size are events by the schema, as large as those of the daemon', async () => {
    const { bare, ours } = await besides(cls)
    for (const body of bare) eventSchema.parse(JSON.parse(JSON.stringify(body)))
    const daemons = ours.reduce((sum, body) => sum + body.length, 0)
    expect(bytesOf(bare) / daemons).toBeGreaterThan(0.97)
    expect(bytesOf(bare) / daemons).toBeLessThan(1.03)
  })

  it('at their smallest hold the object and little else', async () => {
    const { bare, smallest: least } = await besides(cls)
    expect(bytesOf(least)).toBeLessThan(bytesOf(bare) * 0.6)
  })
})

it('every part that needs no network runs beside its bare loop', async () => {
  const contests = [...pureContests(600, OBJECTS), ...storeContests(600, OBJECTS)]
  for (const contest of contests) {
    const row = await contend(contest, 1)
    expect(row).toMatchObject({ name: contest.name, events: 600, rounds: 1 })
    expect(row.ours.perSecond.median).toBeGreaterThan(0)
    expect(row.bare.perSecond.median).toBeGreaterThan(0)
  }
  expect(new Set(contests.map(contest => contest.name)).size).toBe(8)
})

it('a part that loses work fails', async () => {
  const lossy: Contest = {
    name: 'lossy',
    bareName: 'none',
    events: 1,
    ours: () => ({
      run: () => undefined,
      end: () => {
        throw new Error('0 of 1')
      },
    }),
    bare: () => ({ run: () => undefined }),
  }
  await expect(contend(lossy, 1)).rejects.toThrow('0 of 1')
})

it('what is lost, doubled or made up fails', () => {
  eachOnce([2, 0, 1], 3, 'S')
  expect(() => eachOnce([2, 0], 3, 'S')).toThrow('S: number 1 is there 0 times')
  expect(() => eachOnce([2, 0, 1, 0], 3, 'S')).toThrow('S: number 0 is there 2 times')
  expect(() => eachOnce([3, 0, 1, 2], 3, 'S')).toThrow('number 3 is there, which nobody pushed')
})

it('a profile gives a function of the engine to whoever called it', () => {
  const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 0 })
  const nodes = [
    { id: 1, callFrame: frame('(root)'), children: [2, 4, 5, 6, 7] },
    { id: 2, callFrame: frame('append', 'file:///x/src/store/store.ts'), children: [3] },
    { id: 3, callFrame: frame('run') },
    { id: 4, callFrame: frame('(garbage collector)') },
    { id: 5, callFrame: frame('(idle)') },
    { id: 6, callFrame: frame('take', 'file:///x/dist/subscribers/intake.js') },
    { id: 7, callFrame: frame('add', 'file:///x/dist/subscribers/apic/outbox.js'), children: [8] },
    { id: 8, callFrame: frame('bodyOf', 'file:///x/dist/subscribers/spelt.js') },
  ]
  const { work, hottest } = summary([{ nodes, samples: [2, 3, 4, 5, 6, 8], timeDeltas: [1, 4, 2, 100, 1, 2] }], 1)
  expect(work).toEqual([
    { name: 'store', self: 0.5 },
    { name: 'encode', self: 0.3 },
    { name: 'garbage collection', self: 0.2 },
  ])
  expect(hottest).toEqual([{ name: 'run', self: 0.4 }])
})

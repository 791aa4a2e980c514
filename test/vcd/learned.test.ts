import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ManagedObject, MirrorChange, MirrorView } from '../../src/record.ts'
import { Hours } from '../../src/subscribers/vcd/hours.ts'
import { BOUNDS, Learned, Lesson } from '../../src/subscribers/vcd/learned.ts'

function mirrorOf(objects: Map<string, ManagedObject>): MirrorView {
  return { get: key => objects.get(key), values: () => objects.values() }
}

function commit(objects: Map<string, ManagedObject>, changes: readonly MirrorChange[]): void {
  for (const { key, object } of changes) object === null ? objects.delete(key) : objects.set(key, object)
}

const HISTORY = { users: new Map([['u', 5]]), addresses: new Map([['a', 6]]) }

describe('what was learned', () => {
  it('is bounded: what was used longest ago is forgotten, in memory and in the store', () => {
    const objects = new Map<string, ManagedObject>()
    const learned = new Learned(mirrorOf(objects))
    for (let n = 0; n < BOUNDS.tokens + 300; n += 50) {
      const lesson = new Lesson(learned)
      for (let token = n; token < n + 50; token++) {
        lesson.setToken(`t${token}`, { ...HISTORY, firstMs: token, lastMs: token })
        lesson.learnSession(`s${token}`, 'interactive', token)
        lesson.setUser(`u${token}`, { offMs: token, onMs: undefined })
      }
      // The first one stays in use.
      lesson.setToken('t0', { ...HISTORY, firstMs: 0, lastMs: n })
      commit(objects, lesson.changes())
      lesson.adopt()
    }
    const families = [...objects.values()].map(object => object.family)
    const count = (family: string): number => families.filter(one => one === family).length
    expect([count('vcd.token'), count('vcd.session'), count('vcd.user')]).toEqual([
      BOUNDS.tokens,
      BOUNDS.sessions,
      BOUNDS.users,
    ])
    expect(learned.tokens.entries.size).toBe(BOUNDS.tokens)
    expect(objects.has('vcd.token/t0')).toBe(true)
    expect(objects.has('vcd.token/t1')).toBe(false)
    // A start from the store knows the same, in the same order of forgetting.
    const again = new Learned(mirrorOf(objects))
    expect(again.tokens.entries).toEqual(learned.tokens.entries)
    expect(again.sessionOrigin(`s${BOUNDS.tokens}`)).toBe('interactive')
  })

  it('has no effect before its page is durable', () => {
    const learned = new Learned(mirrorOf(new Map()))
    const lesson = new Lesson(learned)
    lesson.learnSession('s', 'token', 1)
    expect([lesson.sessionOrigin('s'), learned.sessionOrigin('s')]).toEqual(['token', undefined])
    lesson.adopt()
    expect(learned.sessionOrigin('s')).toBe('token')
    expect(new Lesson(learned).changes()).toEqual([])
  })
})

describe('rows of an hour', () => {
  const HOUR = 3_600_000

  it('are known exactly, or not at all, whatever is committed, lost and read again', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('commit' as const), at: fc.integer({ min: 0, max: 40 }) }),
      fc.record({ kind: fc.constant('lost' as const), at: fc.integer({ min: 0, max: 40 }) }),
      fc.record({ kind: fc.constant('restart' as const), at: fc.integer({ min: 0, max: 40 }) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), steps => {
        const objects = new Map<string, ManagedObject>()
        const truth = new Map<number, number>()
        let hours = new Hours(mirrorOf(objects), undefined)
        for (const { kind, at } of steps) {
          const ms = at * 600_000
          if (kind === 'restart') {
            hours = new Hours(mirrorOf(objects), ms)
            continue
          }
          const draft = hours.draft()
          draft.add(ms)
          if (kind === 'lost') continue
          commit(objects, draft.changes())
          draft.adopt()
          const hour = Math.floor(ms / HOUR) * HOUR
          truth.set(hour, (truth.get(hour) ?? 0) + 1)
        }
        for (const [hour, rows] of truth) expect([rows, undefined]).toContain(hours.rows(hour))
        const unsure = [...truth.keys()].filter(hour => hours.rows(hour) === undefined)
        if (!steps.some(({ kind }) => kind === 'restart')) expect(unsure).toEqual([])
      }),
    )
  })

  it('are forgotten after a week', () => {
    const objects = new Map<string, ManagedObject>()
    const hours = new Hours(mirrorOf(objects), undefined)
    for (let hour = 0; hour < 400; hour++) {
      hours.due(0, hour * HOUR, hour * HOUR)
      const draft = hours.draft()
      draft.add(hour * HOUR)
      commit(objects, draft.changes())
      draft.adopt()
    }
    expect(objects.size).toBeLessThan(7 * 24 + 4)
    expect([hours.rows(399 * HOUR), hours.rows(0)]).toEqual([1, 0])
  })
})

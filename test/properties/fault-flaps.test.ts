/**
 * A fault that flaps: it goes again and again through the same few states, faster than the time by which its log may be off, while
 * some of its pushes are lost. No step is lost in silence, none is told twice, and none is announced that was told. This is
 * about the code that decides it; the fabric, and the order in which a reconcile asks, are a model here.
 */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Change } from '../../src/subscribers/apic/decode.ts'
import {
  type Border,
  type Known,
  newsOf,
  overtakenBy,
  type Transition,
  withoutRepeats,
} from '../../src/subscribers/apic/fault-news.ts'
import { FaultsHeard } from '../../src/subscribers/apic/faults-heard.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 1000)
const DN = 'topology/pod-1/node-101/sys/a/fault-F1394'
const FEED = 'class/faultInst'
const BEGIN_MS = 1_000_000
/** Where the log has only the time of the record, what comes faster than that is off can't be told apart. */
const LEAST_MS = 30

type State = Readonly<Record<string, string>>

/** One step of the life, and what becomes of it. */
interface Step {
  readonly atMs: number
  /** Undefined: the fault is deleted. */
  readonly state: State | undefined
  readonly isPushed: boolean
  readonly isReconciled: boolean
  /** An end has no time of its own: it is heard of so much later, ms. */
  readonly heldMs: number
}

interface Run {
  readonly steps: readonly Step[]
  /** The log has the time of the record alone, so much later than the step, ms. */
  readonly leanMs: number | undefined
  /** A row shows so much later than it was written, ms. */
  readonly lateMs: number
  /** Each row twice. */
  readonly isTwice: boolean
  /** So many steps were told before the log that is read begins. */
  readonly unread: number
}

const STATES: readonly State[] = [
  { severity: 'minor', lc: 'raised', occur: '1' },
  { severity: 'major', lc: 'raised', occur: '1' },
  { severity: 'minor', lc: 'raised-clearing', occur: '1' },
  { severity: 'cleared', lc: 'retaining', occur: '1' },
]

const OVER = STATES.length - 1

const pace = fc.oneof(fc.integer({ min: LEAST_MS, max: 600 }), fc.integer({ min: LEAST_MS, max: 3000 }))

const drawn = (afterMs: fc.Arbitrary<number>, next: fc.Arbitrary<number>, heldMs: fc.Arbitrary<number>) =>
  fc.record({ afterMs, next, isPushed: fc.boolean(), isReconciled: fc.boolean(), heldMs })

const lifeOf = (one: ReturnType<typeof drawn>, maxLength: number): fc.Arbitrary<readonly Step[]> =>
  fc.array(one, { minLength: 2, maxLength }).map(drawn => {
    const life: Step[] = []
    let [atMs, now] = [BEGIN_MS, STATES.length]
    for (const { afterMs, next, ...chance } of drawn) {
      // What stays as it is, is no step; and nothing begins by being over.
      if (next === now || (now === STATES.length && next === OVER)) continue
      atMs += afterMs
      now = next
      const state = STATES[next]
      const stamped = state && { ...state, dn: DN, lastTransition: new Date(atMs).toISOString() }
      life.push({ atMs, state: stamped, ...chance })
    }
    return life
  })

const steps = lifeOf(
  drawn(pace, fc.integer({ min: 0, max: STATES.length }), fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1500 }))),
  20,
)
/** Born and gone again and again, far faster than the log may be off. */
const burst = lifeOf(
  drawn(
    fc.oneof(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 400 })),
    fc.oneof(fc.constant(STATES.length), fc.integer({ min: 0, max: STATES.length })),
    fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 1500 })),
  ),
  30,
)

class World {
  readonly told: number[] = []
  readonly announced: number[] = []
  readonly #run: Run
  readonly #heard = new FaultsHeard()
  #now: State | undefined
  #end: { readonly last: State | undefined; readonly atMs: number; readonly isTold: boolean } | undefined

  constructor(run: Run) {
    this.#run = run
    this.#heard.begin(FEED, Math.max(BEGIN_MS, (run.steps[run.unread]?.atMs ?? 0) - 1), [])
  }

  play(): this {
    const { steps, lateMs, unread } = this.#run
    for (const [index, { atMs, state, isPushed, isReconciled, heldMs }] of steps.entries()) {
      if (isPushed || index < unread) this.#take(index, state, atMs + (state === undefined ? heldMs : 0), true)
      if (isReconciled && index >= unread) this.#reconcile(index, atMs)
    }
    const endMs = (steps.at(-1)?.atMs ?? 0) + lateMs + 10_000
    // The last one finds nothing more.
    for (const ms of [0, 10_000]) this.#reconcile(steps.length - 1, endMs + ms)
    return this
  }

  #take(index: number, state: State | undefined, atMs: number, isTold: boolean): void {
    if (state === undefined && this.#now === undefined) return
    const isBookkeeping = state === undefined && this.#now?.['severity'] === 'cleared'
    const end = this.#run.steps.findIndex((one, at) => one.state === undefined && at > (this.told.at(-1) ?? -1))
    if (!isBookkeeping) this.told.push(state === undefined ? end : index)
    this.#end = state === undefined ? { last: this.#now, atMs, isTold } : undefined
    this.#now = state
    this.#heard.note(DN, state, atMs, isBookkeeping)
  }

  /** As `tellMissedFaults` and the comparison after it. */
  #reconcile(last: number, nowMs: number): void {
    const { steps } = this.#run
    const shown = steps[last]?.state
    const transitions = withoutRepeats(this.#rows(nowMs))
    const indexOf = ({ change }: Transition): number => Number(change.attributes['step'])
    const known = (): Known => ({
      there: this.#now !== undefined,
      state: this.#now ?? this.#end?.last,
      endedMs: this.#end?.isTold === true ? this.#end.atMs : undefined,
      missingMs: this.#end?.isTold === false ? this.#end.atMs : undefined,
    })
    const overtaken = overtakenBy(known(), transitions)
    const missing = this.#heard.unheard(FEED, DN, overtaken.steps, overtaken.rows)
    this.announced.push(...missing.map(indexOf))
    const border: Border = { shown, pushed: undefined, askedMs: nowMs }
    for (const row of newsOf(known(), transitions, border)) {
      const { atMs, change } = row
      if (Date.parse(this.#now?.['lastTransition'] ?? '') > atMs) continue
      this.#take(indexOf(row), change.status === 'deleted' ? undefined : change.attributes, atMs, true)
    }
    if (shown === undefined) {
      this.#take(last, undefined, nowMs, false)
    } else if (this.#now?.['lastTransition'] === shown['lastTransition']) {
      return
    } else if (this.told.at(-1) === last) {
      // It was told by its row, with the time of that.
      this.#now = shown
      this.#heard.note(DN, shown, nowMs)
    } else this.#take(last, shown, nowMs, true)
  }

  #rows(nowMs: number): Transition[] {
    const { steps, leanMs, lateMs, isTwice, unread } = this.#run
    return steps.flatMap(({ atMs, state }, index) => {
      const createdMs = atMs + (leanMs ?? 0)
      if (index < unread || createdMs + lateMs > nowMs) return []
      const lastTransition = new Date(createdMs).toISOString()
      const attributes = { ...state, dn: DN, lastTransition, step: String(index) }
      const status = state === undefined ? 'deleted' : 'created'
      const isOwn = state !== undefined && leanMs === undefined
      const change: Change = { cls: 'faultInst', dn: DN, attributes, status }
      const row: Transition = { atMs: createdMs, change, isOwn, createdMs }
      return isTwice ? [row, row] : [row]
    })
  }
}

const NOTHING = { lost: [], doubled: [], vain: [], ends: 0, between: [] }

function account(run: Run): typeof NOTHING | object {
  const { told, announced } = new World(run).play()
  const indexes = run.steps.map((_, index) => index)
  const severity = (index: number): string | undefined => run.steps[index]?.state?.['severity']
  const isEnd = (index: number): boolean => index < indexes.length && severity(index) === undefined
  const isOver = (index: number): boolean => severity(index) === 'cleared'
  const isTwice = (list: readonly number[], index: number): boolean => list.indexOf(index) !== list.lastIndexOf(index)
  // Which of two ends was told, an end does not say; and what was over is closed by whichever of its last two steps.
  const isClosing = (index: number): boolean => isEnd(index) || (isOver(index) && isEnd(index + 1))
  const steps = indexes.filter(index => !isClosing(index))
  const closed = [...told, ...announced].filter(isClosing).length
  // But it was heard between two steps, and no other end was.
  const bounds = [-1, ...steps.filter(index => told.includes(index)), indexes.length]
  const between = bounds.flatMap((after, at) => {
    const before = bounds[at + 1] ?? after
    const isBetween = (index: number): boolean => after < index && index < before
    const closings = [...told, ...announced].filter(index => isBetween(index) && isClosing(index)).length
    return closings === indexes.filter(index => isBetween(index) && isEnd(index)).length ? [] : [[after, before]]
  })
  return {
    lost: steps.filter(index => !told.includes(index) && !announced.includes(index)),
    doubled: steps.filter(index => isTwice(told, index) || isTwice(announced, index)),
    vain: steps.filter(index => told.includes(index) && announced.includes(index)),
    ends: indexes.filter(isEnd).length - closed,
    between,
  }
}

const own = { leanMs: fc.constant(undefined), lateMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 800 })) }
const lean = { leanMs: fc.integer({ min: 0, max: LEAST_MS - 5 }), lateMs: fc.constant(0) }
/** The log begins while the fault is there: of one that is known to be gone, an end that shows first counts as that one. */
function begunThere(run: Run): Run {
  const before = run.steps.slice(0, run.unread)
  const last = before.findLastIndex(({ state }) => state !== undefined && state['severity'] !== 'cleared')
  return { ...run, unread: last + 1 }
}

const unread = fc.constant(0)
const run: fc.Arbitrary<Run> = fc.oneof(
  fc.record({ steps, isTwice: fc.boolean(), unread, ...own }),
  fc.record({ steps, isTwice: fc.boolean(), unread, ...lean }),
  fc.record({ steps: burst, isTwice: fc.boolean(), unread: fc.integer({ min: 0, max: 8 }), ...own }).map(begunThere),
)

it('is told or announced, each step of it, once', () => {
  fc.assert(
    fc.property(run, one => {
      expect(account(one)).toEqual(NOTHING)
    }),
    { numRuns },
  )
})

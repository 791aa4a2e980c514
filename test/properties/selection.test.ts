/** A filter that is judged here: whatever an object does, what was told of it fits what it is. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import type { FilterExpression } from '../../src/config/query.ts'
import type { Fact } from '../../src/event.ts'
import type { ManagedObject } from '../../src/record.ts'
import type { Watched } from '../../src/subscribers/apic/core.ts'
import type { Change } from '../../src/subscribers/apic/decode.ts'
import { filterMatches } from '../../src/subscribers/apic/filter.ts'
import { normalise } from '../../src/subscribers/apic/normalise.ts'
import { select, unmarked } from '../../src/subscribers/apic/selection.ts'

const numRuns = Number(process.env['FC_RUNS'] ?? 300)

/** One object, its mirror, and the filters of one or two subscriptions that show it. */
class Story {
  readonly told: Fact[] = []
  mirror: ManagedObject | undefined
  object: Record<string, string> | undefined
  readonly #cls: string
  #filters: readonly FilterExpression[]
  #ended: string | undefined

  constructor(cls: string, filters: readonly FilterExpression[]) {
    this.#cls = cls
    this.#filters = filters
  }

  get matches(): boolean {
    const { object } = this
    return object !== undefined && this.#filters.some(filter => filterMatches(filter, this.#cls, object))
  }

  filterBy(filters: readonly FilterExpression[]): void {
    this.#filters = filters
    // After a restart, the whole object is read.
    if (this.object !== undefined) this.#apply({ ...this.object }, 'created')
  }

  become(attributes: Record<string, string>, whole: boolean): void {
    const isNew = this.object === undefined
    this.object = { ...this.object, ...attributes }
    if (isNew || whole) this.#apply({ ...this.object }, 'created')
    else this.#apply(attributes, 'modified')
  }

  go(): void {
    if (this.object === undefined) return
    this.object = undefined
    this.#apply({}, 'deleted')
  }

  #apply(attributes: Record<string, string>, status: Change['status']): void {
    const change: Change = { cls: this.#cls, dn: 'uni/x', attributes: { dn: 'uni/x', ...attributes }, status }
    const stored = this.mirror
    const context = {
      source: { system: 'apic', name: 'fabric-a' },
      raw: false,
      origin: 'live',
      after: this.#ended,
    } as const
    const outcome = normalise(context, change, stored && unmarked(stored))
    const watchers = this.#filters.map(filter => watcher(filter))
    const { outcome: judged } = select({ context, change, stored, outcome, watchers })
    if (judged.fact !== undefined) this.told.push(judged.fact)
    if (judged.mirror?.object === null) this.#ended = judged.fact?.id ?? outcome.fact?.id ?? stored?.version
    if (judged.mirror !== undefined) this.mirror = judged.mirror.object ?? undefined
  }
}

/** As much of a subscription as a selection looks at. */
function watcher(filter: FilterExpression): Watched {
  const accepts = (cls: string, attributes: Readonly<Record<string, string>>): boolean =>
    filterMatches(filter, cls, attributes)
  const one: Pick<Watched, 'hidden' | 'accepts'> & { query: { accepts: typeof accepts } } = {
    hidden: false,
    query: { accepts },
    accepts: (change, _before, after) => after !== undefined && accepts(change.cls, after.attributes),
  }
  return one as unknown as Watched
}

const severity = fc.constantFrom('critical', 'major', 'minor', 'warning', 'cleared')
const lc = fc.constantFrom('soaking', 'raised', 'raised-clearing', 'retaining')
const faultFilter: fc.Arbitrary<FilterExpression> = fc.oneof(
  severity.map(word => ({ ge: ['faultInst.severity', word] })),
  lc.map(word => ({ ne: ['faultInst.lc', word] })),
  fc.constant({ eq: ['faultInst.ack', 'no'] }),
)
const faultStep = fc.oneof(
  fc
    .record({ severity, lc, ack: fc.constantFrom('yes', 'no') }, { requiredKeys: [] })
    .chain(attributes => fc.boolean().map(whole => ({ kind: 'become', attributes, whole }) as const)),
  fc.constant({ kind: 'go' } as const),
  fc.array(faultFilter, { minLength: 1, maxLength: 2 }).map(filters => ({ kind: 'filter', filters }) as const),
)

it('an alert that was opened is closed when its fault ends or leaves; one that stands inside is open', () => {
  fc.assert(
    fc.property(
      fc.array(faultFilter, { minLength: 1, maxLength: 2 }),
      fc.array(faultStep, { maxLength: 25 }),
      (filters, steps) => {
        const story = new Story('faultInst', filters)
        for (const step of steps) {
          if (step.kind === 'go') story.go()
          else if (step.kind === 'filter') story.filterBy(step.filters)
          else
            story.become(
              { severity: 'major', lc: 'raised', ack: 'no', ...story.object, ...step.attributes },
              step.whole,
            )
          const last = story.told.at(-1)
          const isOpen = last !== undefined && last.data.state !== 'resolved'
          const isOver = story.object?.['severity'] === 'cleared' || story.object?.['lc'] === 'retaining'
          expect(isOpen).toBe(story.matches && !isOver)
          const opened = story.told.findLast(({ type }) => type === 'apic.fault.raised')
          // It is closed where it is looked for.
          if (last?.data.state === 'resolved' && opened !== undefined) {
            expect(last.data.alertKey).toBe(opened.data.alertKey)
            expect(last.subject).toBe(opened.subject)
          }
        }
        expect(new Set(story.told.map(({ id }) => id)).size).toBe(story.told.length)
      },
    ),
    { numRuns },
  )
})

it('of an object that is only there or not, creations and deletions take turns, as it enters and leaves', () => {
  const value = fc.constantFrom('a', 'b', 'c')
  const filter: fc.Arbitrary<FilterExpression> = value.map(word => ({ eq: ['fvTenant.descr', word] }))
  const step = fc.oneof(
    fc
      .record({ descr: value, nameAlias: value, modTs: value }, { requiredKeys: [] })
      .chain(attributes => fc.boolean().map(whole => ({ kind: 'become', attributes, whole }) as const)),
    fc.constant({ kind: 'go' } as const),
    fc.array(filter, { minLength: 1, maxLength: 2 }).map(filters => ({ kind: 'filter', filters }) as const),
  )
  fc.assert(
    fc.property(
      fc.array(filter, { minLength: 1, maxLength: 2 }),
      fc.array(step, { maxLength: 25 }),
      (filters, steps) => {
        const story = new Story('fvTenant', filters)
        for (const one of steps) {
          if (one.kind === 'go') story.go()
          else if (one.kind === 'filter') story.filterBy(one.filters)
          else story.become({ descr: 'a', ...story.object, ...one.attributes }, one.whole)
          const verbs = story.told
            .map(({ type }) => type.slice('apic.fvTenant.'.length))
            .filter(verb => verb !== 'modified')
          expect(verbs).toEqual(verbs.map((_, at) => (at % 2 === 0 ? 'created' : 'deleted')))
          expect(verbs.at(-1) === 'created').toBe(story.matches)
        }
        expect(new Set(story.told.map(({ id }) => id)).size).toBe(story.told.length)
      },
    ),
    { numRuns },
  )
})

/** The gap over overtaken steps, however many they are. */
import { expect, it } from 'vitest'
import type { Fact } from '../../src/event.ts'
import { Continuity } from '../../src/subscribers/apic/continuity.ts'
import type { Transition } from '../../src/subscribers/apic/fault-news.ts'
import { tellOvertaken } from '../../src/subscribers/apic/hole.ts'
import { ApicMirror } from '../../src/subscribers/apic/mirror.ts'

it('reaches from the first to the last', () => {
  const dn = 'uni/fault-F1'
  const change = { cls: 'faultInst', dn, attributes: { dn }, status: 'created' } as const
  const steps = Array.from({ length: 200_000 }, (_, index): Transition => ({ atMs: 1000 + index, change }))
  const facts: (Fact | undefined)[] = []
  const core = {
    source: { system: 'apic', name: 'fabric-a' },
    mirror: new ApicMirror({ get: () => undefined, values: () => [] }),
    continuity: new Continuity(),
    outbox: {
      add: (_feed: string, item: { readonly fact?: Fact | undefined } | undefined) => void facts.push(item?.fact),
      flushed: () => Promise.resolve(),
      room: () => Promise.resolve(),
      end: () => Promise.resolve(),
    },
  } as const
  tellOvertaken(core, { hidden: false, name: 'class/faultInst' }, steps)
  expect(facts.map(fact => fact?.data.gap)).toMatchObject([
    { from: '1970-01-01T00:00:01.000Z', to: '1970-01-01T00:03:20.999Z' },
  ])
})

/** What the tests of `opswire replay` count. */
import { expect } from 'vitest'
import type { OpsEvent } from '../../src/event.ts'

/** What a source can be asked for again. */
export const isAskable = ({ type, origin }: OpsEvent): boolean =>
  /^(apic\.(event|audit)\.|raas\.(return|run\.(started|completed))|vcd\.)/.test(type) && origin !== 'snapshot'

/** Sorted. */
export const idsOf = (all: readonly OpsEvent[]): string[] => all.map(({ id }) => id).sort()

/** No event is there twice. */
export function expectOnce(all: readonly OpsEvent[]): void {
  const ids = idsOf(all)
  expect(ids.filter((id, at) => ids[at - 1] === id)).toEqual([])
}

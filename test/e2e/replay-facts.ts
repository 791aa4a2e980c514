/** What the tests of `opswire replay` count. */
import { createServer } from 'node:net'
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

/** Where these come from, each once; a gap of what the stream has lost by its source. */
export function originsOf(events: readonly OpsEvent[]): string[] {
  const isLoss = ({ data }: OpsEvent): boolean => data.gap?.feed === 'stream' && data.gap.reason === 'state_lost'
  return [...new Set(events.map(event => (isLoss(event) ? `gap ${event.source}` : event.origin)))].sort()
}

export async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>(resolve => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise(resolve => probe.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Where a feed begins after the store's file was lost: what happened from then to its first contact is in no other gap. */
import { type Fact, gapFact, type SourceRef } from '../event.ts'
import type { Store } from '../store/contract.ts'

/** The cursor under which a source's loss is kept: the process that found it may die before all feeds are in contact. */
export const STORE_FEED = 'store'

/** When what was known of this source was lost, ms; undefined: never. As `OpenContext.lostAtMs`. */
export function lostAtMs(store: Pick<Store, 'cursor' | 'lostAtMs'>, source: string): number | undefined {
  if (store.lostAtMs !== undefined) return store.lostAtMs
  const kept = store.cursor(source, STORE_FEED)?.['lostAtMs']
  return typeof kept === 'number' ? kept : undefined
}

interface Contact {
  readonly ref: SourceRef
  readonly feed: string
  readonly classes?: readonly string[] | undefined
  readonly lostMs: number | undefined
  /** From here on the feed tells everything, ms by our clock: the contact, less what it reads of the time before. */
  readonly toMs: number
}

/** To be committed with the feed's first cursor. Empty when nothing was lost, or when all of it is read again. */
export function gapBefore({ ref, feed, classes = [], lostMs, toMs }: Contact): Fact[] {
  if (lostMs === undefined || toMs <= lostMs) return []
  const window = { from: new Date(lostMs).toISOString(), to: new Date(toMs).toISOString() }
  return [gapFact(ref, { feed, classes: [...classes], ...window, reason: 'state_lost', recovered: 0 })]
}

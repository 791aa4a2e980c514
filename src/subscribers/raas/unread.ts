/** Rows that the count proves and no walk reached: looked for once, deeper than any sweep, and else told as a gap. */
import { gapFact } from '../../event.ts'
import type { Cursor } from '../../record.ts'
import { isoOfUs } from './rows.ts'
import type { TailOptions } from './tail-options.ts'

/** A deep walk reads a day's rows: not more often than this. */
const SEARCH_EVERY_MS = 3_600_000

/** What a walk so deep (µs before the newest row) found that was missed, and how far down it came. */
export type DeepWalk = (overlapUs: number) => Promise<{ readonly recovered: number; readonly downToUs: number }>

/** `sweepUs`: how deep a sweep goes. `settled`: the cursor when nothing is counted as unread any more. */
export async function searchUnread<R>(
  options: TailOptions<R>,
  sweepUs: number,
  walk: DeepWalk,
  settled: () => Cursor,
): Promise<void> {
  const { memory, clock, feed, push, ref, rememberMs } = options
  const { tally } = memory
  if (tally.unread === 0) return
  const now = clock.now()
  if (memory.searchedAt !== undefined && now - memory.searchedAt < SEARCH_EVERY_MS) return
  memory.searchedAt = now
  if (!(await isExact(options))) {
    tally.unread = 0
    return
  }
  const missing = tally.unread
  // No deeper than the store knows ids: what it has forgotten would be told again.
  const { recovered, downToUs } = await walk(Math.max(sweepUs, rememberMs * 500))
  const to = Number.isFinite(downToUs) ? isoOfUs(downToUs) : null
  const gap = gapFact(ref, { feed, classes: [], from: null, to, reason: 'anchor_missing', recovered })
  await push({
    feed,
    facts: recovered >= missing ? [] : [gap],
    cursor: settled(),
    committed: () => {
      tally.unread = 0
      tally.forget()
    },
  })
}

/** The last row that the count promises is there. Counts of rows that an account is not shown prove nothing. */
async function isExact<R>({ read }: TailOptions<R>): Promise<boolean> {
  const { count } = await read(1, 0)
  if (count === undefined || count < 1) return false
  return (await read(1, count - 1)).rows.length > 0
}

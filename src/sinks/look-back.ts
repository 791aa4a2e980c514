/** From when a sink is searched for rows that may have been delivered. */

/** Looked up from this much earlier: clocks differ a little. */
const MARGIN_MS = 60_000

/**
 * Wall time from which rows sent by an earlier process may stand in the sink, given when they and later rows were taken
 * down, in the order of the log, and the time now. A row was sent after it was taken down, but somebody may have set the
 * clock back between: a later row with an earlier time, or an earlier now, shows it. When exactly that was nobody knows,
 * so the search begins earlier by as much as the clock went back.
 */
export function lookBackFrom(recordedMs: readonly number[], nowMs: number): number {
  let highest = Number.NEGATIVE_INFINITY
  let lowest = nowMs
  let back = 0
  for (const at of [...recordedMs, nowMs]) {
    back = Math.max(back, highest - at)
    highest = Math.max(highest, at)
    lowest = Math.min(lowest, at)
  }
  return lowest - back - MARGIN_MS
}

/** When a row was first sent by this process. */
export interface SentAt {
  readonly wallMs: number
  /** By the monotonic clock. */
  readonly nowMs: number
}

/**
 * Wall time, as it is told now, from which rows that this process sent may stand in the sink. The monotonic clock can't
 * be set; the wall clock goes on while the machine sleeps.
 */
export function sentFrom(sent: readonly (SentAt | undefined)[], now: SentAt): number {
  let since = now.wallMs
  for (const at of sent) if (at !== undefined) since = Math.min(since, at.wallMs, now.wallMs - (now.nowMs - at.nowMs))
  return since - MARGIN_MS
}

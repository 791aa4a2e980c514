/** What was taken down is lost, with the store's file or in the stream behind it: each source says so. */
import { type GapData, gapFact } from '../event.ts'
import type { Cursor } from '../record.ts'
import type { Subscriber } from './contract.ts'
import { STORE_FEED } from './first-contact.ts'
import { Intake, type IntakeOptions } from './intake.ts'

export interface Loss {
  readonly reason: string
  /** Where what is left of the file lies. */
  readonly movedTo: string
}

/** Whose gaps are written, and where to. */
interface Telling extends Pick<IntakeOptions, 'store' | 'clock' | 'report'> {
  readonly subscribers: readonly Pick<Subscriber, 'ref' | 'pushes'>[]
}

/**
 * Writes a gap of each source into the new file, up to now; what comes between now and a feed's first contact that feed
 * tells (`first-contact.ts`). Rejects with the signal's reason, and when the store is
 * closed.
 */
export async function tellLostState(telling: Telling, signal: AbortSignal): Promise<void> {
  const nowMs = telling.clock.wall()
  await tell(telling, { feed: STORE_FEED, from: null, to: iso(nowMs) }, signal, { lostAtMs: nowMs })
}

/** The same for what the stream has lost of a time, ms; from when on may be unknown. */
export async function tellForgotten(
  telling: Telling,
  { fromMs, toMs }: { readonly fromMs: number | undefined; readonly toMs: number },
  signal: AbortSignal,
): Promise<void> {
  const from = fromMs === undefined ? null : iso(Math.min(fromMs, toMs))
  await tell(telling, { feed: 'stream', from, to: iso(toMs) }, signal)
}

async function tell(
  { subscribers, store, clock, report }: Telling,
  window: Pick<GapData, 'feed' | 'from' | 'to'>,
  signal: AbortSignal,
  cursor?: Cursor,
): Promise<void> {
  for (const { ref, pushes } of subscribers) {
    const gap: GapData = { ...window, reason: 'state_lost', recovered: 0, classes: [] }
    const intake = new Intake({ ref, store, clock, report, overdraft: pushes })
    await intake.take({ feed: window.feed, facts: [gapFact(ref, gap)], ...(cursor && { cursor }) }, signal)
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()

export function wordsOfLoss({ reason, movedTo }: Loss): string {
  return `the store was damaged (${reason}); it was moved to ${movedTo}, a new one is in use`
}

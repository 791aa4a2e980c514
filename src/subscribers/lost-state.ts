/** The store's file was damaged, and what was in it is gone: each source says so. */
import { gapFact } from '../event.ts'
import type { Subscriber } from './contract.ts'
import { Intake, type IntakeOptions } from './intake.ts'

export interface Loss {
  readonly reason: string
  /** Where what is left of the file lies. */
  readonly movedTo: string
}

/** Writes a gap of each source into the new file. Rejects with the signal's reason, and when the store is closed. */
export async function tellLostState(
  subscribers: readonly Pick<Subscriber, 'ref' | 'pushes'>[],
  { store, clock, report }: Pick<IntakeOptions, 'store' | 'clock' | 'report'>,
  signal: AbortSignal,
): Promise<void> {
  const to = new Date(clock.wall()).toISOString()
  for (const { ref, pushes } of subscribers) {
    const gap = { feed: 'store', from: null, to, reason: 'state_lost', recovered: 0 } as const
    const intake = new Intake({ ref, store, clock, report, overdraft: pushes })
    await intake.take({ feed: 'store', facts: [gapFact(ref, { ...gap, classes: [] })] }, signal)
  }
}

export function wordsOfLoss({ reason, movedTo }: Loss): string {
  return `the store was damaged (${reason}); it was moved to ${movedTo}, a new one is in use`
}

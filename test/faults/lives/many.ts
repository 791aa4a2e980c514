/** Many runs of lives, several at a time in this process: a line for each that went wrong, all that is known of it in a file, totals in the end. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { systemClock } from '../../../src/scheduler/clock.ts'
import { type LifeResult, runLife } from './run-life.ts'
import type { LifeSetting } from './setting.ts'

export interface LivesOptions {
  readonly firstSeed: number
  /** No new seed is begun after so long, ms; 0: the first one alone. */
  readonly forMs: number
  readonly jobs: number
  readonly spanMs: number
  readonly restarts: boolean
  readonly delays: boolean
  readonly slackMs: number
  readonly setting: Partial<LifeSetting>
  readonly folder: string
  readonly say: (line: string) => void
}

/** Resolves with true when nothing was wrong in any of them. */
export async function runLives(options: LivesOptions): Promise<boolean> {
  const { firstSeed, forMs, jobs, spanMs, restarts, delays, slackMs, setting, folder, say } = options
  mkdirSync(folder, { recursive: true })
  const end = systemClock.now() + forMs
  const totals = { runs: 0, strikes: 0, subscriptions: 0, owed: 0, found: 0, excused: 0, gaps: 0 }
  const failed: number[] = []
  let next = firstSeed
  const work = async (): Promise<void> => {
    while (next === firstSeed || systemClock.now() < end) {
      const seed = next++
      try {
        const result = await runLife({ seed, spanMs, restarts, delays, slackMs, setting })
        add(totals, result)
        if (result.evidence.length === 0) continue
        failed.push(seed)
        const path = join(folder, `seed-${seed}.txt`)
        writeFileSync(path, `${result.evidence.join('\n')}\n`)
        const { wrongs } = result.judgement
        say(`seed ${seed}: FAILED, ${wrongs.length} wrongs, the first: ${wrongs[0]?.slice(0, 200)}; ${path}`)
      } catch (error) {
        failed.push(seed)
        say(`seed ${seed}: broken off: ${error instanceof Error ? error.stack : String(error)}`)
      }
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  say(JSON.stringify({ ...totals, failed: failed.sort((a, b) => a - b) }))
  return failed.length === 0
}

function add(totals: Record<string, number>, { strikes, subscriptions, judgement }: LifeResult): void {
  const { owed, found, excused, gaps } = judgement
  const more = { runs: 1, strikes, subscriptions, owed, found, excused, gaps: gaps.length }
  for (const [name, value] of Object.entries(more)) totals[name] = (totals[name] ?? 0) + value
}

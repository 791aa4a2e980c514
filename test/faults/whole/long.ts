/** Many seeds, several at a time, each in a process of its own: one line for each, a summary to be read by a machine. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { systemClock } from '../../../src/scheduler/clock.ts'
import type { SeedResult } from './run-seed.ts'

export interface LongOptions {
  readonly firstSeed: number
  /** No new seed is begun after so long, ms; 0: the first one alone. */
  readonly forMs: number
  readonly jobs: number
  /** Handed on to each seed: `--only 1,3`, `--span 20`. */
  readonly more: readonly string[]
  /** Where the summary goes, and the log of what failed. */
  readonly folder: string
  readonly say: (line: string) => void
}

const SEED = resolve(import.meta.dirname, 'seed.ts')
/** A seed takes a minute or two; one that does not end has failed. */
const HUNG_MS = 8 * 60_000

/** Resolves with true when nothing was wrong in any of them. */
export async function runLong(options: LongOptions): Promise<boolean> {
  const { firstSeed, forMs, jobs, folder, say } = options
  mkdirSync(folder, { recursive: true })
  const began = systemClock.now()
  const startedAt = new Date(systemClock.wall()).toISOString()
  const results: SeedResult[] = []
  let next = firstSeed
  const work = async (): Promise<void> => {
    while (next === firstSeed || systemClock.now() - began < forMs) {
      const result = await one(next++, options)
      results.push(result)
      say(lineOf(result))
      if (result.wrongs.length > 0) keep(result, folder, say)
      writeFileSync(join(folder, 'summary.json'), `${JSON.stringify(summaryOf(startedAt, results), null, 1)}\n`)
    }
  }
  await Promise.all(Array.from({ length: jobs }, work))
  const { totals } = summaryOf(startedAt, results)
  say(`${JSON.stringify(totals)}; ${join(folder, 'summary.json')}`)
  return totals.failed.length === 0
}

async function one(seed: number, { more, jobs, say }: LongOptions): Promise<SeedResult> {
  const began = systemClock.now()
  const child = spawn(process.execPath, [SEED, '--seed', String(seed), ...more], { stdio: ['ignore', 'pipe', 'pipe'] })
  const cancel = systemClock.after(HUNG_MS, () => {
    child.kill('SIGTERM')
  })
  const errors: string[] = []
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (some: string) => {
    errors.push(some)
    if (jobs === 1) say(some.trimEnd())
  })
  const out = await text(child.stdout)
  cancel()
  try {
    return JSON.parse(out.trim().split('\n').at(-1) ?? '') as SeedResult
  } catch {
    const nothing = { nats: '', faults: [], owed: 0, found: 0, excused: 0, gaps: [], messages: 0, starts: 0 }
    const seconds = (systemClock.now() - began) / 1000
    const log = errors.join('').split('\n')
    return { seed, ...nothing, seconds, settledS: null, wrongs: ['broken off: it gave no result'], log }
  }
}

function lineOf(result: SeedResult): string {
  const { seed, nats, faults, owed, found, excused, gaps, seconds, settledS, wrongs } = result
  const words = [
    `seed ${seed}`,
    `nats ${nats}`,
    `${faults.length} faults`,
    `owed ${owed}`,
    `in the stream ${found}`,
    `excused ${excused}`,
    `gaps ${gaps.length}`,
    `settled after ${settledS?.toFixed(1) ?? '–'} s`,
    `${seconds.toFixed(0)} s`,
  ]
  return `${words.join(', ')}: ${wrongs.length === 0 ? 'ok' : `FAILED, ${wrongs.length} wrongs`}`
}

function keep(result: SeedResult, folder: string, say: (line: string) => void): void {
  const { log, ...rest } = result
  const path = join(folder, `seed-${result.seed}`)
  writeFileSync(`${path}.json`, `${JSON.stringify(rest, null, 1)}\n`)
  writeFileSync(`${path}.log`, `${log.join('\n')}\n`)
  for (const line of [...result.faults, ...result.wrongs.slice(0, 20)]) say(`    ${line}`)
  say(`    the daemon's log: ${path}.log`)
}

function summaryOf(startedAt: string, results: readonly SeedResult[]) {
  const sum = (of: (result: SeedResult) => number): number => results.reduce((all, one) => all + of(one), 0)
  return {
    startedAt,
    totals: {
      seeds: results.length,
      minutes: Math.round(sum(one => one.seconds) / 6) / 10,
      faults: sum(one => one.faults.length),
      owed: sum(one => one.owed),
      inTheStream: sum(one => one.found),
      excused: sum(one => one.excused),
      gaps: sum(one => one.gaps.length),
      failed: results.filter(one => one.wrongs.length > 0).map(one => one.seed),
    },
    seeds: results.toSorted((a, b) => a.seed - b.seed).map(({ log: _, ...rest }) => rest),
  }
}

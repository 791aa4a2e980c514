/** Giving memory back: when, by a clock turned by hand; and that it is given back, in a process of its own. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { giveBackWhenCalm } from '../src/spare-memory.ts'
import { ManualClock } from './support/manual-clock.ts'

/** How often it gave back while the event loop was busy for these parts of each two seconds. */
async function given(parts: readonly number[]): Promise<number> {
  const clock = new ManualClock()
  const left = [...parts]
  let times = 0
  const cancel = giveBackWhenCalm(
    clock,
    () => left.shift() ?? 0,
    () => {
      times++
    },
  )
  for (let n = 1; n < parts.length; n++) await clock.advance(2000)
  cancel()
  await clock.advance(60_000)
  expect(left).toEqual([])
  return times
}

it.each<[string, readonly number[], number]>([
  ['never without work', [0, 0.05, 0, 0], 0],
  ['not while there is work', [0.9, 0.9, 0.5, 0.9], 0],
  ['not when it is half calm', [0.9, 0.2, 0.2, 0.2], 0],
  ['once when it becomes calm', [0.9, 0.9, 0.01, 0, 0], 1],
  ['also after half calm', [0.9, 0.2, 0.01, 0], 1],
  ['again after more work, in ten seconds', [0.9, 0, 0.9, 0.9, 0.9, 0.9, 0, 0], 2],
  ['not twice within ten seconds, but then', [0.9, 0, 0.9, 0, 0, 0, 0, 0], 2],
  ['not twice within ten seconds', [0.9, 0, 0.9, 0, 0], 1],
])('gives back %s', async (_, parts, times) => {
  expect(await given(parts)).toBe(times)
})

/** Resident MiB after work whose objects and buffers are dead, and after the time in which they are given back. */
const CHILD = `
  import { setTimeout } from 'node:timers/promises'
  const [spare, time] = await Promise.all(process.argv.slice(1).map(name => import(name)))
  const resident = () => process.memoryUsage.rss() / 1024 / 1024
  let held = Array.from({ length: 60_000 }, (_, n) => ({ n, bytes: Buffer.allocUnsafeSlow(2000).fill(n) }))
  const before = resident()
  held = held.slice(0, 10)
  let wasGiven = () => undefined
  const given = new Promise(resolve => { wasGiven = resolve })
  const parts = [1]
  spare.giveBackWhenCalm(time.systemClock, () => {
    if (parts.length === 0) setImmediate(wasGiven)
    return parts.shift() ?? 0
  })
  await given
  console.log(JSON.stringify({ before, after: resident(), held: held.length }))
  process.exit()
`

it('gives dead objects and the memory of their buffers back to the system', async () => {
  const modules = ['../src/spare-memory.ts', '../src/scheduler/clock.ts'].map(
    name => new URL(name, import.meta.url).href,
  )
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', CHILD, ...modules])
  const { before, after } = JSON.parse(stdout)
  expect(before - after).toBeGreaterThan(90)
})

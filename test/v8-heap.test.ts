/** In a process of its own: what is set there holds for all of it. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const MIB = 1024 * 1024

/** What the young generation takes after each of these: a start that keeps all it makes; then work of which much lives for a while. */
const CHILD = `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { setImmediate } from 'node:timers/promises'
  const { keepHeapSmall, growUnderLoad } = await import(process.argv[1])
  const young = () => getHeapSpaceStatistics().find(space => space.space_name === 'new_space').space_size
  if (process.argv[2] === 'bound') keepHeapSmall()
  const kept = []
  for (let n = 0; n < 300_000; n++) kept.push({ n, text: [n] })
  const atStart = young()
  if (process.argv[2] === 'bound') growUnderLoad()
  let most = 0
  const alive = []
  for (let turn = 0; turn < 1000; turn++) {
    alive.push(Array.from({ length: 2000 }, (_, n) => ({ n, text: [n] })))
    if (alive.length > 20) alive.shift()
    most = Math.max(most, young())
    await setImmediate()
  }
  console.log(JSON.stringify({ atStart, most, kept: kept.length }))
`

async function run(how: 'bound' | 'free'): Promise<{ atStart: number; most: number }> {
  const module = new URL('../src/v8-heap.ts', import.meta.url).href
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', CHILD, module, how])
  return JSON.parse(stdout)
}

it('the young generation takes less while the program loads, and grows only so far under load', async () => {
  // Beside what V8 does by itself: else there would be nothing to bound.
  const [bound, free] = await Promise.all([run('bound'), run('free')])
  expect(bound.atStart).toBeLessThan(free.atStart)
  expect(bound.most).toBeLessThan(40 * MIB)
  expect(free.most).toBeGreaterThan(bound.most)
})

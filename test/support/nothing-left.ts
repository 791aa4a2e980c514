/** Fails a test file that leaves a socket, server, timer, watcher or child process behind. */
import { afterAll, expect } from 'vitest'

const LEFTOVERS = /^(Timeout|Immediate|TCP|TLS|Pipe|Process|FSEvent|UDP|HTTP)/

function alive(): string[] {
  return process.getActiveResourcesInfo().filter(name => LEFTOVERS.test(name))
}

const before = count(alive())

function count(names: readonly string[]): Map<string, number> {
  const result = new Map<string, number>()
  for (const name of names) result.set(name, (result.get(name) ?? 0) + 1)
  return result
}

function extra(): string[] {
  return [...count(alive())]
    .filter(([name, number]) => number > (before.get(name) ?? 0))
    .map(([name, n]) => `${name} ×${n}`)
}

afterAll(async () => {
  // Closing a socket takes a few turns of the loop; what is still there after that was forgotten.
  for (let turn = 0; turn < 200 && extra().length > 0; turn++) {
    await new Promise<void>(resolve => setTimeout(resolve, 10).unref())
    await new Promise<void>(resolve => setImmediate(resolve))
  }
  expect(extra(), 'left behind by this test file').toEqual([])
})

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { until } from '../support/manual-clock.ts'
import { folder, opened } from './fixture.ts'
import { numberOf } from './numbers.ts'

const LANE = 1_000_000

it.each(['append', 'append-threaded'])(
  '%s: loses nothing it said was durable when it is killed, and has no cursor ahead of its events',
  async mode => {
    const dir = folder()
    // Killed and started again: each start finds the last one's log in the state the kill left it in.
    for (const lines of [50, 400, 1]) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'child.ts'), mode, dir], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      let said = ''
      child.stdout.on('data', chunk => {
        said += String(chunk)
      })
      await until(() => said.split('\n').length > lines, `${lines} appends`)
      child.kill('SIGKILL')
      await once(child, 'close')

      const { store } = await opened(dir)
      expect(store.lostState).toBeUndefined()
      const stored = store.read(0, 1_000_000)
      expect(stored.map(event => event.seq)).toEqual(stored.map((_, index) => index + 1))
      const complete = said.split('\n').slice(0, -1)
      expect(complete.length).toBeGreaterThan(0)
      for (const lane of [0, 1]) {
        const numbers = stored
          .map(numberOf)
          .filter(number => Math.floor(number / LANE) === lane)
          .map(number => number % LANE)
        // Every event from the first to the last, once, in order.
        expect(numbers).toEqual(numbers.map((_, index) => index + 1))
        const printed = complete.map(line => line.split(' ').map(Number)).filter(([which]) => which === lane)
        expect(numbers.length).toBeGreaterThanOrEqual(printed.at(-1)?.[1] ?? 0)
        // Each append was whole, and the last cursor is that of the last event.
        expect(numbers.length % 7).toBe(0)
        const cursor = store.cursor(`lane-${lane}`, 'f')
        expect(cursor?.['last'] ?? 0).toBe(numbers.length)
      }
      await store.close()
    }
  },
)

import { spawn } from 'node:child_process'
import { expect, it } from 'vitest'

it('passes, and leaves a process behind', () => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 20000)'], { stdio: 'ignore' })
  expect(child.pid).toBeGreaterThan(0)
})

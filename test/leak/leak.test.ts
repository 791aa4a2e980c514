/** The guard of every test file, tried on files that do leave something behind. */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'

const VITEST = resolve(import.meta.dirname, '../../node_modules/vitest/vitest.mjs')

async function runFixture(name: string): Promise<{ code: number | null; text: string }> {
  const child = spawn(
    process.execPath,
    [VITEST, 'run', name, '--config', resolve(import.meta.dirname, 'vitest.config.ts')],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NO_COLOR: '1' },
    },
  )
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', chunk => {
      text += chunk
    })
  }
  const code = await new Promise<number | null>(done => child.once('close', done))
  return { code, text }
}

it.each([
  ['timer', 'Timeout ×1'],
  ['server', 'TCPServerWrap ×1'],
  ['process', 'ProcessWrap ×1'],
])('a test file that leaves a %s behind fails', async (name, left) => {
  const { code, text } = await runFixture(`${name}.fixture.ts`)
  expect(code, text).toBe(1)
  expect(text).toContain('left behind by this test file')
  expect(text).toContain(left)
})

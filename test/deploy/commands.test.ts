/** `npm test` and the commands beside it. */
import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(resolve(root, path), 'utf8')
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

/** What a config names; read as text, for loading it starts a bundler. */
function listed(config: string, key: 'include' | 'exclude'): string[] {
  const list = new RegExp(`^ +${key}: \\[(.*)\\],$`, 'm').exec(read(config))?.[1] ?? ''
  return [...list.matchAll(/'([^']+)'/g)].map(([, pattern = '']) => pattern)
}

const filesOf = (config: string): string[] =>
  globSync(listed(config, 'include'), { cwd: root, exclude: listed(config, 'exclude') })

test('each test file is run by one command, and none by two', () => {
  const configs = ['vitest.config.ts', 'test/faults/vitest.config.ts', 'test/package/vitest.config.ts']
  expect(configs.flatMap(filesOf).toSorted()).toEqual(globSync('test/**/*.test.ts', { cwd: root }).toSorted())
})

test.each(['faults', 'package'])('test:%s takes its own limits', name => {
  const script = scripts[`test:${name}`] ?? ''
  const started = /^node (\S+)$/.exec(script)?.[1]
  expect(started === undefined ? script : read(started)).toMatch(/\bvitest\.config\.ts\b/)
})

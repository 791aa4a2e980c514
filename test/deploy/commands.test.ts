/** `npm test` and the commands beside it. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }

test('a folder of tests that has a command of its own, with limits of its own, is not run by npm test as well', () => {
  const exclude = /^ +exclude: \[(.*)\],$/m.exec(read('vitest.config.ts'))?.[1]
  const own = Object.keys(scripts).flatMap(name => /^test:(\w+)$/.exec(name)?.[1] ?? [])
  expect(own).toEqual(expect.arrayContaining(['faults', 'package']))
  for (const name of own) {
    expect(scripts[`test:${name}`]).toContain(`--config test/${name}/vitest.config.ts`)
    expect(exclude).toContain(`'test/${name}/**'`)
  }
})

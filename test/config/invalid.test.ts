/** Each file of invalid/ breaks the rule it is named after and says in its `# expect` lines what must be told of it. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/load.ts'
import { sayFinding } from '../../src/config/problems.ts'
import { problemsOf } from './samples.ts'

const FOLDER = join(import.meta.dirname, 'invalid')
const files = readdirSync(FOLDER).toSorted()

describe('invalid configs', () => {
  it('are there', () => {
    expect(files.length).toBeGreaterThan(70)
  })

  it.each(files)('%s', async name => {
    const file = join(FOLDER, name)
    const expected = [...readFileSync(file, 'utf8').matchAll(/^# expect (.*)$/gm)].map(([, text]) => `${file}:${text}`)
    const problems = await problemsOf(loadConfig(file, {}))
    expect(problems.map(problem => sayFinding(file, problem))).toEqual(expected)
    // Some of them hold a password in a wrong place: no text and no field may show it.
    expect(JSON.stringify(problems)).not.toContain('MARKER')
  })
})

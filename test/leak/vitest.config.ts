/** Runs the fixtures of this folder, which leave something behind on purpose. Used by leak.test.ts only. */
import { resolve } from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    root: import.meta.dirname,
    include: ['*.fixture.ts'],
    pool: 'forks',
    setupFiles: [resolve(import.meta.dirname, '../support/nothing-left.ts')],
  },
})

import { defineConfig } from 'vitest/config'
import { CountingReporter } from '../support/counting-reporter.ts'

/** `npm run test:package`: builds what is shipped and runs it. Not a part of `npm test`, for it installs from the registry. */
export default defineConfig({
  test: {
    include: ['test/package/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    setupFiles: ['test/support/nothing-left.ts'],
    reporters: ['default', new CountingReporter()],
  },
})

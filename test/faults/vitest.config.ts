import { defineConfig } from 'vitest/config'
import { CountingReporter } from '../support/counting-reporter.ts'
import { TableReporter } from './table.ts'

/** `npm run test:faults`: not a part of `npm test`, for it takes minutes of real time. */
export default defineConfig({
  test: {
    include: ['test/faults/*.test.ts', 'test/faults/directed/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // The runs wait most of the time: several share a processor.
    maxConcurrency: 3,
    testTimeout: 300_000,
    hookTimeout: 60_000,
    setupFiles: ['test/support/nothing-left.ts'],
    reporters: ['default', new TableReporter(), new CountingReporter()],
  },
})

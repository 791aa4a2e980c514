import { configDefaults, defineConfig } from 'vitest/config'
import { CountingReporter } from './test/support/counting-reporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Each has a command of its own: minutes of real time (`npm run test:faults`), or it installs from the registry (`npm run test:package`).
    exclude: [...configDefaults.exclude, 'test/faults/*.test.ts', 'test/faults/directed/**', 'test/package/**'],
    pool: 'forks',
    // For two cores: the tests wait more than they work.
    maxWorkers: 4,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ['test/support/nothing-left.ts'],
    reporters: ['default', new CountingReporter()],
  },
})

import { configDefaults, defineConfig } from 'vitest/config'
import { CountingReporter } from './test/support/counting-reporter.ts'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Minutes of real time: `npm run test:faults`.
    exclude: [...configDefaults.exclude, 'test/faults/**'],
    pool: 'forks',
    // Two cores: the simulators, nats-server and the daemon need some of them too.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ['test/support/nothing-left.ts'],
    reporters: ['default', new CountingReporter()],
  },
})

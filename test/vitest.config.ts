import { defineConfig } from 'vitest/config'
import { SummaryReporter } from './support/summary-reporter.ts'

export default defineConfig({
  root: new URL('..', import.meta.url).pathname,
  test: {
    // The authorization server of the tests says on each start that it is not meant for production.
    onConsoleLog: (log) => !log.includes('oidc-provider '),
    reporters: ['default', new SummaryReporter()],
    // Most integration tests wait for processes and servers, so two at a time cost little more than one.
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/integration/**', 'test/package/**', 'test/runtimes/**', 'test/taint/**'],
          pool: 'threads',
          isolate: false,
        },
      },
      {
        // A process of its own: it takes over the clock and the timers of its process for minutes.
        extends: true,
        test: { name: 'taint', include: ['test/taint/**/*.test.ts'], pool: 'forks' },
      },
      {
        extends: true,
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts', 'test/package/**/*.test.ts'],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'runtimes',
          include: ['test/runtimes/**/*.test.ts'],
          exclude: ['test/runtimes/core-suite.test.ts'],
          globalSetup: ['test/runtimes/fetch-nodes.ts'],
          // For bundlers, and for what is fetched on a machine that has fetched nothing yet.
          testTimeout: 120_000,
          hookTimeout: 300_000,
        },
      },
      {
        // After the others, because it runs the unit tests, which keep every core busy.
        extends: true,
        test: {
          name: 'node-versions',
          include: ['test/runtimes/core-suite.test.ts'],
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
})

import { defineConfig } from 'vitest/config';

/** Tests run on the sources: the `ii-source` export condition points a workspace package at its `src`. */
const sources = { conditions: ['ii-source', 'node', 'import', 'module', 'default'] };

export default defineConfig({
  test: {
    reporters: ['default', './scripts/report-skips.ts'],
    projects: [
      {
        resolve: sources,
        ssr: { resolve: sources },
        test: {
          name: 'node',
          include: ['packages/*/test/**/*.test.ts'],
          exclude: ['**/*.gpu.test.ts', '**/*.browser.test.ts'],
          testTimeout: 120_000,
          pool: 'forks',
        },
      },
      {
        resolve: sources,
        ssr: { resolve: sources },
        test: {
          name: 'gpu',
          include: ['packages/*/test/**/*.gpu.test.ts'],
          testTimeout: 120_000,
          pool: 'forks',
        },
      },
    ],
  },
});

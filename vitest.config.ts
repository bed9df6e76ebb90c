import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { chromium, chromiumFlags, isolationHeaders, playwrightProvider } from './scripts/chromium.js';

/** Tests run on the sources: the `ii-source` export condition points a workspace package at its `src`. */
const sources = { conditions: ['ii-source', 'node', 'import', 'module', 'default'] };

/** Tests of Node that a browser has to pass, too: the comparisons with PyTorch's results, and what GPUs differ in. */
const everywhere = [
  'packages/tensor/test/ops.test.ts',
  'packages/dcnv3/test/dcnv3.test.ts',
  'packages/dcnv3/test/module.test.ts',
  'packages/backbone/test/backbone.test.ts',
  'packages/upernet/test/upernet.test.ts',
  'packages/upernet/test/recovery.gpu.test.ts',
  'packages/zoo/test/photo-labels.test.ts',
];

/** In a browser: pages with shared memory, and WebGPU on SwiftShader. */
function inBrowser(executablePath: string, provider: NonNullable<typeof playwrightProvider>): TestProjectConfiguration {
  return {
    resolve: { conditions: ['ii-source', 'browser', 'import', 'module', 'default'] },
    server: { headers: isolationHeaders },
    test: {
      name: 'browser',
      include: [...everywhere, 'packages/*/test/**/*.browser.test.ts'],
      testTimeout: 120_000,
      setupFiles: ['scripts/browser-setup.ts'],
      env: { II_REQUIRE_DEVICES: process.env['II_REQUIRE_DEVICES'] ?? '' },
      browser: {
        enabled: true,
        headless: true,
        screenshotFailures: false,
        provider: provider({ launchOptions: { executablePath, args: [...chromiumFlags] } }),
        instances: [{ browser: 'chromium' }],
      },
    },
  };
}

export default defineConfig({
  test: {
    reporters: ['default', './scripts/report-skips.ts'],
    // By default one core is left free, on two cores half of them.
    maxWorkers: '100%',
    projects: [
      {
        resolve: sources,
        ssr: { resolve: sources },
        test: {
          name: 'node',
          include: ['packages/*/test/**/*.test.ts', 'scripts/*.test.ts'],
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
          // A GPU that is the CPU takes its time to compile shaders.
          testTimeout: 300_000,
          pool: 'forks',
        },
      },
      {
        resolve: sources,
        ssr: { resolve: sources },
        test: {
          name: 'page',
          include: ['examples/browser/test/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          pool: 'forks',
        },
      },
      ...(chromium && playwrightProvider ? [inBrowser(chromium, playwrightProvider)] : []),
    ],
  },
});

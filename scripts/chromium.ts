/** The Chromium that browser tests run in: the system's. None is ever downloaded. */
import { existsSync } from 'node:fs';

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** Path of a Chromium or Chrome, or null; the environment variable `II_CHROMIUM` names another one than is found; empty, none. */
export const chromium: string | null = process.env['II_CHROMIUM'] ?? places.find((path) => existsSync(path)) ?? null;

/** What makes vitest run tests in it; null in an installation that is older than the lockfile. */
export const playwrightProvider = await import('@vitest/browser-playwright').then(
  ({ playwright }) => playwright,
  () => null,
);

/** Why tests in a browser do not run here; null where they do. */
export const withoutBrowser: string | null = !chromium
  ? 'no Chromium or Chrome was found; install one (apt-get install chromium), or name it in II_CHROMIUM'
  : !playwrightProvider
    ? 'the package @vitest/browser-playwright is not installed; npm install'
    : null;

/** WebGPU on SwiftShader, so that results do not depend on the machine's GPU and a machine without one runs them. */
export const chromiumFlags: readonly string[] = [
  '--no-sandbox',
  '--enable-unsafe-webgpu',
  '--enable-unsafe-swiftshader',
  '--use-webgpu-adapter=swiftshader',
];

/** What the pages of a cross-origin isolated site are served with: shared memory, and so threads, need it. */
export const isolationHeaders = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

import { cp, mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'vite';

/** Where the three sample pairs lie. */
export const samples = fileURLToPath(new URL('../../../ade20k/test/fixtures/ade20k-sample/', import.meta.url));

export const sampleNames = ['ADE_val_00000001', 'ADE_val_00000002', 'ADE_val_00000003'] as const;

/** An empty folder of its own. */
export function temporaryFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'ii-data-'));
}

/** Puts files into a folder, making the folders that they lie in. */
export async function put(root: string, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  for (const [path, bytes] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), bytes);
  }
}

/** Lays the sample pairs out as `ADEChallengeData2016/validation`. */
export async function laySamplesOut(root: string): Promise<void> {
  for (const name of sampleNames) {
    await cp(join(samples, `${name}.jpg`), join(root, 'images/validation', `${name}.jpg`));
    await cp(join(samples, `${name}.png`), join(root, 'annotations/validation', `${name}.png`));
  }
}

/**
 * The worker's module built from the sources, so that the test does not depend on an earlier build. It lies in the
 * package, where its imports are found.
 */
export async function buildWorker(): Promise<URL> {
  const outDir = fileURLToPath(new URL('../../node_modules/.cache/test-worker/', import.meta.url));
  await build({
    configFile: false,
    logLevel: 'error',
    ssr: { noExternal: [/^@ii\//], resolve: { conditions: ['ii-source', 'node'] } },
    build: {
      ...{ outDir, emptyOutDir: true, minify: false },
      ssr: fileURLToPath(new URL('../../src/data/sample-worker.ts', import.meta.url)),
    },
  });
  return pathToFileURL(join(outDir, 'sample-worker.js'));
}

/** Every package in a program for browsers: importing it does nothing and touches nothing of the platform. */
import { createContext, runInContext } from 'node:vm';
import { fileURLToPath } from 'node:url';
import { build, defaultClientConditions, type Rolldown } from 'vite';
import { expect, test } from 'vitest';

const entries = [
  '@ii/tensor',
  '@ii/tensor/image',
  '@ii/tensor/testing',
  '@ii/dcnv3',
  '@ii/backbone',
  '@ii/upernet',
  '@ii/ade20k',
];
/** Relative, since a package's own sources do not import it by name. */
const zoo = fileURLToPath(new URL('../src/index.ts', import.meta.url));

/** None of these may be asked for while modules load; whatever else a platform has beside the language is not there. */
const platform = [
  ...['navigator', 'window', 'document', 'location', 'self', 'process', 'Worker', 'OffscreenCanvas', 'fetch'],
  ...['SharedArrayBuffer', 'indexedDB', 'localStorage', 'setTimeout', 'console'],
];

test('importing every package touches no global of the platform', async () => {
  const virtual = 'virtual:all';
  const code = [...entries, zoo].map((entry, i) => `export * as p${i} from ${JSON.stringify(entry)};`).join('\n');
  const output = (await build({
    configFile: false,
    logLevel: 'error',
    root: fileURLToPath(new URL('..', import.meta.url)),
    resolve: { conditions: ['ii-source', ...defaultClientConditions] },
    plugins: [
      { name: 'all', resolveId: (id) => (id === virtual ? id : null), load: (id) => (id === virtual ? code : null) },
    ],
    build: {
      ...{ write: false, minify: false, target: 'es2022', modulePreload: false },
      rolldownOptions: { input: virtual, preserveEntrySignatures: 'strict', output: { format: 'cjs' } },
    },
  })) as Rolldown.RolldownOutput;
  const chunks = output.output.filter((part) => part.type === 'chunk');
  const entry = chunks.find((chunk) => chunk.isEntry)!;

  const touched: string[] = [];
  // These are on every platform, and do nothing by themselves.
  const globals: Record<string, unknown> = { TextDecoder, TextEncoder };
  for (const name of platform) {
    Object.defineProperty(globals, name, {
      configurable: true,
      get: () => {
        touched.push(name);
        throw new Error(`importing a package touched '${name}'`);
      },
    });
  }
  const context = createContext(globals);
  const loaded = new Map<string, object>();
  const load = (file: string): object => {
    const done = loaded.get(file);
    if (done) return done;
    const chunk = chunks.find(({ fileName }) => fileName === file);
    if (!chunk) throw new Error(`importing a package asked for '${file}'`);
    const module = { exports: {} };
    loaded.set(file, module.exports);
    const run = runInContext(`(function (exports, module, require) {${chunk.code}\n})`, context) as (
      exports: object,
      module: object,
      require: (name: string) => object,
    ) => void;
    run(module.exports, module, (name) => load(name.replace(/^\.\//, file.replace(/[^/]*$/, ''))));
    return module.exports;
  };
  const exported = load(entry.fileName) as Record<string, Record<string, unknown>>;
  expect(touched).toEqual([]);
  expect(Object.keys(exported)).toHaveLength(entries.length + 1);
  expect(typeof exported['p5']!['createUperNet']).toBe('function');
  expect(typeof exported[`p${entries.length}`]!['openCheckpoint']).toBe('function');
});

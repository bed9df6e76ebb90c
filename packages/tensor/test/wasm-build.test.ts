/** Both builds of the kernel library, over shared and unshared memory. */
import { describe, expect, test } from 'vitest';
import { fastestBuild, hasRelaxedSimd, libraryBytes } from '../src/backends/wasm/build.js';
import { functionNames, kernelFunctions } from '../src/backends/wasm/library.js';
import { library } from '../src/backends/wasm/library.generated.js';
import type { WasmBuild } from '../src/backends/wasm/program.js';

const builds: readonly WasmBuild[] = hasRelaxedSimd() ? ['plain', 'relaxed', 'wide'] : ['plain'];

describe.each([true, false])('shared memory: %s', (shared) => {
  test.each(builds)('the library runs (build: %s)', (build) => {
    const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared });
    const module = new WebAssembly.Module(libraryBytes(library, build, shared));
    const fill = kernelFunctions(module, memory)[functionNames(module).indexOf('fillF32')]!;
    const [args, y, length] = [1024, 4096, 37];
    new Int32Array(memory.buffer, args, 3).set([y, length, 20]);
    new Float32Array(memory.buffer, args + 12, 1)[0] = 2.5;
    fill(args, 0, 0);
    fill(args, 1, 0);
    const values = new Float32Array(memory.buffer, y, length + 1);
    expect([...values]).toEqual([...new Array<number>(length).fill(2.5), 0]);
  });
});

test('all builds have the same functions', () => {
  const names = (build: WasmBuild): string[] =>
    functionNames(new WebAssembly.Module(libraryBytes(library, build, true)));
  expect(names('plain').length).toBeGreaterThan(40);
  for (const build of builds) expect(names(build)).toEqual(names('plain'));
});

test('the fastest build is one that the engine runs', () => {
  expect(builds).toContain(fastestBuild());
  expect(fastestBuild() === 'plain').toBe(!hasRelaxedSimd());
});

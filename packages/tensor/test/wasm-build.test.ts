/** Both builds of the kernel library, over shared and unshared memory. */
import { describe, expect, test } from 'vitest';
import { hasRelaxedSimd, libraryBytes } from '../src/backends/wasm/build.js';
import { functionNames, kernelFunctions } from '../src/backends/wasm/library.js';
import { library } from '../src/backends/wasm/library.generated.js';

describe.each([true, false])('shared memory: %s', (shared) => {
  const builds = hasRelaxedSimd() ? [false, true] : [false];
  test.each(builds)('the library runs (relaxed: %s)', (relaxed) => {
    const memory = new WebAssembly.Memory({ initial: 4, maximum: 65536, shared });
    const module = new WebAssembly.Module(libraryBytes(library, relaxed, shared));
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

test('both builds have the same functions', () => {
  const names = (relaxed: boolean): string[] => {
    const bytes = libraryBytes(library, relaxed, true);
    return WebAssembly.validate(bytes) ? functionNames(new WebAssembly.Module(bytes)) : [];
  };
  expect(names(false).length).toBeGreaterThan(40);
  if (hasRelaxedSimd()) expect(names(true)).toEqual(names(false));
});

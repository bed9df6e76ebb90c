/** All builds of the kernel library, over shared and unshared memory, and which one is taken. */
import { describe, expect, test } from 'vitest';
import { createDevice } from '../src/create-device.js';
import { fastestBuild, hasRelaxedSimd, libraryBytes } from '../src/backends/wasm/build.js';
import { functionNames, kernelFunctions } from '../src/backends/wasm/library.js';
import { library } from '../src/backends/wasm/library.generated.js';
import type { WasmBuild } from '../src/backends/wasm/program.js';
import { experimentalSimd } from '../src/backends/wasm/experimental-simd.js';

const noAvx2 = '256-bit vectors need a processor with AVX2 and FMA';

const builds: readonly WasmBuild[] = hasRelaxedSimd() ? ['plain', 'relaxed', 'tall', 'wide'] : ['plain'];

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
  for (const joined of [false, true]) {
    expect(builds).toContain(fastestBuild(joined));
    expect(fastestBuild(joined) === 'plain').toBe(!hasRelaxedSimd());
    expect(fastestBuild(joined) === 'wide').toBe(joined && hasRelaxedSimd());
  }
});

describe('experimental SIMD', () => {
  test('is off unless asked for', () => {
    expect(experimentalSimd(false)).toEqual({ on: false, why: '' });
    expect(experimentalSimd()).toEqual({ on: false, why: '' });
  });

  test('vectors of 256 bits are on where the engine and the processor have them; else the device says what is missing', async () => {
    const { on, why } = experimentalSimd(true);
    // Node 20 has them behind a flag.
    expect(hasRelaxedSimd()).toBe(true);
    const able = Number.parseInt(process.versions.v8) >= 13 && process.arch === 'x64' && why !== noAvx2;
    expect(on).toBe(able);
    using device = await createDevice('wasm', { threads: 0, experimentalSimd: true });
    if (able) expect(device.selection).toContain('relaxed SIMD in vectors of 256 bits');
    else expect(device.selection).toContain(`(${why})`);
    if (process.arch === 'x64' && !able && why !== noAvx2) {
      expect(why).toBe(`256-bit vectors need Node 24 or later (this is ${process.version})`);
    }
  });
});

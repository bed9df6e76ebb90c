import { storedTensor, type StateDict } from '@ii/tensor';
import { randomNumbers } from '@ii/tensor/testing';
import type { UperNet, UperNetConfig } from '../src/index.js';

/** The model of the golden data. */
export const tinyConfig: UperNetConfig = {
  backbone: { channels: 8, depths: [1, 1, 2, 1], groups: [1, 2, 4, 8], layerScale: 1 },
  decodeHead: { channels: 32 },
  auxiliaryHead: { channels: 16 },
};

/** Weights that cost nothing to make: each tensor repeats a short run of small random numbers. */
export function cheapWeights(network: UperNet): StateDict {
  const run = randomNumbers(4099, { low: -0.03, high: 0.03 });
  const fill = (size: number): Float32Array => {
    const values = new Float32Array(size);
    values.set(run.subarray(0, Math.min(size, run.length)));
    for (let done = run.length; done < size; done *= 2) values.copyWithin(done, 0, Math.min(done, size - done));
    return values;
  };
  return new Map(
    [...network.namedState()].map(([name, { shape, size, dtype }]) => {
      if (dtype === 'i64') return [name, storedTensor(new BigInt64Array(size), shape)];
      return [name, storedTensor(name.endsWith('running_var') ? fill(size).fill(1) : fill(size), shape)];
    }),
  );
}

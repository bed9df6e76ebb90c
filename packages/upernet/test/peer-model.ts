/**
 * UperNet + InternImage-T with weights from a rule that any implementation can follow: element `i` of a tensor is a
 * 32-bit hash of `i` and the tensor's seed, scaled by the tensor's kind. The seed is the tensor's place among all names
 * of the state dict, sorted.
 */
import { storedTensor, type StateDict, type StoredTensor } from '@ii/tensor';
import type { UperNet } from '../src/index.js';

/** `[scale, mean]` of the uniform values; a matrix's scale is divided by √fanIn. */
const kinds = {
  image: [1.7, 0],
  matrix: [1.7, 0],
  bias: [0.1, 0],
  normWeight: [0.2, 1],
  gamma: [0.1, 0.5],
  variance: [0.3, 1],
  offset: [0.5, 0],
} as const;

export function fill(kind: keyof typeof kinds, shape: readonly number[], seed: number): Float32Array {
  const length = shape.reduce((a, b) => a * b, 1);
  const fanIn = shape.length > 1 && kind !== 'image' ? length / shape[0]! : 1;
  const [scale, mean] = [kinds[kind][0] / Math.sqrt(fanIn), kinds[kind][1]];
  const base = (Math.imul(seed, 40503) + 12345) | 0;
  return Float32Array.from({ length }, (_, i) => {
    let z = (Math.imul(i, 2654435761) + base) | 0;
    z = Math.imul(z ^ (z >>> 16), 2246822519);
    z = Math.imul(z ^ (z >>> 13), 3266489917);
    z ^= z >>> 16;
    return (((z >>> 0) / 4294967296) * 2 - 1) * scale + mean;
  });
}

export function peerWeights(network: UperNet): StateDict {
  const state = [...network.namedState()].sort(([a], [b]) => (a < b ? -1 : 1));
  return new Map(
    state.map(([name, { shape }], seed): [string, StoredTensor] => {
      const bytes = () => storedTensor(fill(kindOf(name, shape), shape, seed), shape).bytes();
      return [name, { dtype: 'f32', shape, bytes }];
    }),
  );
}

function kindOf(name: string, shape: readonly number[]): keyof typeof kinds {
  const leaf = name.split('.').at(-1)!;
  if (/\.(offset|mask)\./.test(name)) return 'offset';
  if (leaf.startsWith('gamma')) return 'gamma';
  if (leaf === 'running_var') return 'variance';
  if (leaf === 'bias' || leaf === 'running_mean') return 'bias';
  return shape.length > 1 ? 'matrix' : 'normWeight';
}

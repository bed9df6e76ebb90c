/**
 * Deterministic values for a network without trained weights: any implementation, in any language, can be filled with
 * the same ones and must then give the same answer. Element `i` of a tensor is a uniform number in [-1, 1), an integer
 * hash of `i` and the tensor's seed, scaled and shifted by the tensor's kind.
 */
import { createHash } from 'node:crypto';
import { closeSync, openSync, writeSync } from 'node:fs';

/** Scale and mean of each kind; `fanIn` is the product of all dimensions but the first. */
const KINDS = {
  image: () => ({ scale: 1.7, mean: 0 }),
  matrix: (/** @type {number} */ fanIn) => ({ scale: 1.7 / Math.sqrt(fanIn), mean: 0 }),
  bias: () => ({ scale: 0.1, mean: 0 }),
  norm_weight: () => ({ scale: 0.2, mean: 1 }),
  gamma: () => ({ scale: 0.1, mean: 0.5 }),
  var: () => ({ scale: 0.3, mean: 1 }),
  offset: (/** @type {number} */ fanIn) => ({ scale: 0.5 / Math.sqrt(fanIn), mean: 0 }),
};

/**
 * The elements of one tensor in row-major order.
 *
 * @param {string} kind one of `KINDS`
 * @param {readonly number[]} shape
 * @param {number} seed
 */
export function fill(kind, shape, seed) {
  const rule = KINDS[/** @type {keyof typeof KINDS} */ (kind)];
  if (!rule) throw new Error(`fill: kind '${kind}' is not one of ${Object.keys(KINDS).join(', ')}`);
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  const { scale, mean } = rule(fanIn);
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  const start = Math.imul(seed, 40503) + 12345;
  for (let i = 0; i < values.length; i++) {
    const uniform = (hash(Math.imul(i, 0x9e3779b1) + start) / 2 ** 32) * 2 - 1;
    values[i] = uniform * scale + mean;
  }
  return values;
}

/** Two rounds of xor-shift and multiply over 32 bits, then a last xor-shift. @param {number} key */
function hash(key) {
  let h = key | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca77);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae3d);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * Writes the external weights of a graph, one tensor after the other, and checks them against the layout's hash.
 *
 * @param {string} path the file to write
 * @param {{ sha256: string, tensors: { name: string, shape: number[], offset: number, length: number, kind: string, seed: number }[] }} layout
 */
export function writeWeights(path, layout) {
  const sha256 = createHash('sha256');
  const file = openSync(path, 'w');
  try {
    for (const { name, shape, offset, length, kind, seed } of layout.tensors) {
      const { buffer } = fill(kind, shape, seed);
      const bytes = new Uint8Array(buffer);
      if (bytes.length !== length) throw new Error(`${name}: ${bytes.length} bytes filled, the layout says ${length}`);
      writeSync(file, bytes, 0, length, offset);
      sha256.update(bytes);
    }
  } finally {
    closeSync(file);
  }
  const digest = sha256.digest('hex');
  if (digest !== layout.sha256)
    throw new Error(`the filled weights hash to ${digest}, the layout says ${layout.sha256}`);
}

import { Random, storedTensor, type StateDict, type StoredTensor } from '@ii/tensor';
import { UperNet, type UperNetConfig } from '@ii/upernet';

/** Numbers that all weights are cut from. A prime: rows of a matrix begin at different places of the run. */
const RUN = 65_521;

/**
 * Weights to measure a model with: uniform numbers that keep activations near 1 and sampling offsets within a pixel or
 * two, so that the work is that of a trained model and nothing overflows or becomes denormal. Made when asked for, at
 * the speed of copying: a billion take seconds, where drawing them from an initialiser's distribution takes minutes.
 *
 * @param seed the same seed gives the same weights.
 */
export function untrainedWeights(config: UperNetConfig, seed: number): StateDict {
  const random = new Random(seed);
  const run = Float32Array.from({ length: RUN }, () => random.uniform(-1, 1));
  const tensors = new Map<string, StoredTensor>();
  for (const [name, { shape, dtype, size }] of new UperNet(config).namedState()) {
    const counter = dtype === 'i64';
    const bytes = async (): Promise<Uint8Array> => {
      const values = counter ? new BigInt64Array(size) : fromRun(run, size, new Random(seed, name), range(name, shape));
      return storedTensor(values, shape).bytes();
    };
    tensors.set(name, { dtype, shape, bytes });
  }
  return tensors;
}

interface Range {
  readonly mean: number;
  /** Largest distance from the mean. */
  readonly reach: number;
}

/** By what a parameter does, as its name tells. Products keep the variance: uniform numbers in ±1 have 1/3. */
function range(name: string, shape: readonly number[]): Range {
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  if (/\.(offset|mask)\./.test(name)) return { mean: 0, reach: 0.5 / Math.sqrt(fanIn) };
  if (shape.length > 1) return { mean: 0, reach: Math.sqrt(3 / fanIn) };
  if (name.endsWith('running_var')) return { mean: 1, reach: 0.3 };
  if (name.endsWith('bias') || name.endsWith('running_mean')) return { mean: 0, reach: 0.1 };
  if (/\.gamma\d$/.test(name)) return { mean: 0.5, reach: 0.1 };
  return { mean: 1, reach: 0.2 };
}

/** The run, scaled, over and over from a random place. */
function fromRun(run: Float32Array, size: number, random: Random, { mean, reach }: Range): Float32Array {
  const values = new Float32Array(size);
  const start = random.integer(run.length);
  const first = Math.min(size, run.length);
  for (let i = 0; i < first; i++) values[i] = mean + reach * run[(start + i) % run.length]!;
  for (let done = first; done < size; done += run.length) {
    values.set(values.subarray(0, Math.min(run.length, size - done)), done);
  }
  return values;
}

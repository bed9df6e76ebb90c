import { IIError, Random } from '@ii/tensor';

/** One of several processes that share a data set. */
export interface Shard {
  /** From 0 up to, not including, `count`. */
  readonly index: number;
  readonly count: number;
}

/** Which sample comes next, and when. */
export interface SampleRef {
  /** Place of the sample in the data set. */
  readonly index: number;
  /** How often the data set was gone through before; a sample's random transforms depend on it. */
  readonly epoch: number;
  /** Samples drawn from this sampler, this one included: to go on behind this sample, give it as `drawn`. */
  readonly drawn: number;
}

/** Options of {@link sequentialSampler}. */
export interface SequentialOptions {
  /** The shard takes entries `index`, `index + count`, `index + 2 · count`, … Default: all. */
  readonly shard?: Shard;
  /** Only the first so many entries of the data set, before they are split into shards. Default: all. */
  readonly limit?: number;
  /** Samples to leave out at the start, as they were drawn before. Default 0. */
  readonly drawn?: number;
}

/** Options of {@link shuffledSampler}. */
export interface ShuffledOptions {
  /** Default 0. */
  readonly seed?: number;
  /** Of the one endless order, the shard takes every `count`-th sample. Default: all. */
  readonly shard?: Shard;
  /** Samples that were drawn before: the sampler goes on behind them. Default 0. */
  readonly drawn?: number;
}

/** A sampler was asked for something impossible. */
export class SamplerError extends IIError {
  constructor(message: string) {
    super('ERR_SAMPLER', message);
  }
}

function requireCount(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new SamplerError(`${name} must be a whole number of at least ${least}, got ${value}`);
  }
}

function requireShard({ index, count }: Shard): void {
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(index) || index < 0 || index >= count) {
    throw new SamplerError(`a shard has an index from 0 and below its count, got index ${index} of ${count}`);
  }
}

/**
 * Reads `i/n`, the first shard being `1/n`.
 *
 * @throws SamplerError if the text is something else, or `i` is not from 1 to `n`.
 */
export function parseShard(text: string): Shard {
  const [, i, n] = /^(\d+)\/(\d+)$/.exec(text.trim()) ?? [];
  const [index, count] = [Number(i) - 1, Number(n)];
  if (i === undefined || index < 0 || index >= count) {
    throw new SamplerError(`a shard is i/n with i from 1 to n, for example 1/4; got '${text}'`);
  }
  return { index, count };
}

/**
 * Every entry once, in order, as an evaluation wants it.
 *
 * @param length entries of the data set.
 * @throws SamplerError if an option is out of range.
 */
export function sequentialSampler(length: number, options: SequentialOptions = {}): Iterable<SampleRef> {
  const { shard = { index: 0, count: 1 }, limit = length, drawn = 0 } = options;
  requireCount('length', length, 0);
  requireCount('limit', limit, 0);
  requireCount('drawn', drawn, 0);
  requireShard(shard);
  const end = Math.min(length, limit);
  return {
    *[Symbol.iterator]() {
      for (let k = drawn; ; k++) {
        const index = shard.index + k * shard.count;
        if (index >= end) return;
        yield { index, epoch: 0, drawn: k + 1 };
      }
    },
  };
}

/**
 * Endless, shuffled anew in each epoch, as training by iterations wants it. The order depends on length and seed only:
 * it is the same for any number of shards, which take turns in it, and a sampler that goes on from `drawn` gives what
 * the interrupted one would have given.
 *
 * @param length entries of the data set, at least 1.
 * @throws SamplerError if an option is out of range.
 */
export function shuffledSampler(length: number, options: ShuffledOptions = {}): Iterable<SampleRef> {
  const { seed = 0, shard = { index: 0, count: 1 }, drawn = 0 } = options;
  requireCount('length', length, 1);
  requireCount('drawn', drawn, 0);
  requireShard(shard);
  return {
    *[Symbol.iterator]() {
      let order = new Uint32Array(0);
      let shuffled = -1;
      for (let k = drawn; ; k++) {
        const place = shard.index + k * shard.count;
        const epoch = Math.floor(place / length);
        if (epoch !== shuffled) {
          order = permutation(length, seed, epoch);
          shuffled = epoch;
        }
        yield { index: order[place % length]!, epoch, drawn: k + 1 };
      }
    },
  };
}

/** The numbers 0 to `length − 1` in the random order of an epoch (Fisher and Yates's shuffle). */
function permutation(length: number, seed: number, epoch: number): Uint32Array<ArrayBuffer> {
  const order = Uint32Array.from({ length }, (_, i) => i);
  const random = new Random(seed, `order of epoch ${epoch}`);
  for (let i = length - 1; i > 0; i--) {
    const j = random.integer(i + 1);
    const kept = order[i]!;
    order[i] = order[j]!;
    order[j] = kept;
  }
  return order;
}

export interface RandomRange {
  /** Default: 1. The same seed gives the same numbers everywhere. */
  readonly seed?: number;
  /** Smallest value. Default: −1. */
  readonly low?: number;
  /** Upper bound. Default: 1. */
  readonly high?: number;
}

/**
 * Uniform test data, exactly representable in f32. A 32-bit linear congruential generator with its upper bits mixed
 * down: good enough to fill tensors, nothing more.
 */
export function randomNumbers(length: number, { seed = 1, low = -1, high = 1 }: RandomRange = {}): Float32Array {
  const out = new Float32Array(length);
  let state = Math.imul(seed ^ 0x5bd1e995, 0x27d4eb2d) | 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    let bits = state ^ (state >>> 15);
    bits = Math.imul(bits, 0x2c1b3c6d);
    bits ^= bits >>> 13;
    out[i] = low + ((bits >>> 0) / 2 ** 32) * (high - low);
  }
  return out;
}

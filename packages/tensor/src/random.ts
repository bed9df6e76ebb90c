/**
 * Seeded random numbers that are the same on every platform: xoshiro128** started from a hash of the seed and, where
 * several independent streams are wanted, of a label each.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;
  #spare: number | null = null;

  /** @param seed any number. @param label names one of many streams of the same seed, for example a parameter. */
  constructor(seed: number, label = '') {
    let state = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.floor(seed / 2 ** 32);
    for (let i = 0; i < label.length; i++) state = Math.imul(state ^ label.charCodeAt(i), 0x01000193);
    // Splitmix32 spreads the hash over the four words of state.
    const next = (): number => {
      state = (state + 0x9e3779b9) | 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
      z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
      return z ^ (z >>> 15);
    };
    [this.#a, this.#b, this.#c, this.#d] = [next(), next(), next(), next() | 1];
  }

  /** 32 random bits, as an unsigned integer. */
  bits(): number {
    const product = Math.imul(this.#b, 5);
    const result = Math.imul((product << 7) | (product >>> 25), 9);
    const t = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= t;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result >>> 0;
  }

  /** Uniform in `[low, high)`. Default: `[0, 1)`. */
  uniform(low = 0, high = 1): number {
    return low + (this.bits() / 2 ** 32) * (high - low);
  }

  /** An integer from 0 up to, not including, `count`. */
  integer(count: number): number {
    return Math.floor(this.uniform() * count);
  }

  /** Normally distributed (Marsaglia's polar method). */
  normal(mean = 0, std = 1): number {
    if (this.#spare !== null) {
      const value = this.#spare;
      this.#spare = null;
      return mean + std * value;
    }
    let u: number;
    let v: number;
    let s: number;
    do {
      u = this.uniform(-1, 1);
      v = this.uniform(-1, 1);
      s = u * u + v * v;
    } while (s >= 1 || s === 0);
    const factor = Math.sqrt((-2 * Math.log(s)) / s);
    this.#spare = v * factor;
    return mean + std * u * factor;
  }
}

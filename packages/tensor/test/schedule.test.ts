/** The learning rates of the official schedule, to the last bit. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { IIError, polySchedule } from '../src/index.js';

interface Golden {
  readonly max_iters: number;
  readonly warmup_iters: number;
  readonly warmup_ratio: number;
  readonly power: number;
  readonly min_lr: number;
  readonly iters: readonly number[];
  /** By base rate. */
  readonly lr: Readonly<Record<string, readonly number[]>>;
}

const golden = JSON.parse(readFileSync(new URL('fixtures/golden/lr_schedule.json', import.meta.url), 'utf8')) as Golden;

describe('polySchedule', () => {
  const official = polySchedule({
    iterations: golden.max_iters,
    warmupIterations: golden.warmup_iters,
    warmupRatio: golden.warmup_ratio,
    power: golden.power,
    minLr: golden.min_lr,
  });

  it.each(Object.entries(golden.lr))('is the official schedule of %s', (base, rates) => {
    expect(rates).toHaveLength(golden.iters.length);
    expect(golden.iters.map((iteration) => official(iteration, Number(base)))).toEqual(rates);
  });

  it('decays by its power to its end', () => {
    const rate = polySchedule({ iterations: 4, power: 2, minLr: 0.5 });
    expect([0, 1, 2, 3].map((i) => rate(i, 2.5))).toEqual([2.5, 2 * 0.5625 + 0.5, 2 * 0.25 + 0.5, 2 * 0.0625 + 0.5]);
  });

  it.each([
    [{ iterations: 0 }, /iterations must be a positive integer, got 0/],
    [{ iterations: 10, warmupIterations: -1 }, /warmupIterations must be an integer of at least 0, got -1/],
    [{ iterations: 10, warmupRatio: 0 }, /warmupRatio must be a number above 0 and up to 1, got 0/],
    [{ iterations: 10, power: Number.NaN }, /power/],
  ])('refuses %o', (schedule, message) => {
    expect(() => polySchedule(schedule)).toThrow(IIError);
    expect(() => polySchedule(schedule)).toThrow(message);
  });
});

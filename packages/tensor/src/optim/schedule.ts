import { IIError } from '../errors.js';

/** A polynomial decay of the learning rate with a linear warm-up, as mmcv's `PolyLrUpdaterHook` computes it. */
export interface PolySchedule {
  /** Iterations of the whole run. */
  readonly iterations: number;
  /** Exponent of the decay. Default: 1. */
  readonly power?: number;
  /** The rate that the decay ends at. Default: 0. */
  readonly minLr?: number;
  /** Iterations of the warm-up, in which the decayed rate is multiplied by a factor that rises to 1. Default: 0. */
  readonly warmupIterations?: number;
  /** The factor at the first iteration, above 0. Default: 1e-6. */
  readonly warmupRatio?: number;
}

/**
 * The learning rate of an iteration.
 *
 * @param iteration from 0; the rate is set before the iteration runs.
 * @param base learning rate at the start of the decay; of a parameter group with a scale, the scaled one.
 */
export type LearningRate = (iteration: number, base: number) => number;

/**
 * Makes the schedule's function.
 *
 * @throws IIError for a value out of range.
 */
export function polySchedule(schedule: PolySchedule): LearningRate {
  const { iterations, power = 1, minLr = 0, warmupIterations = 0, warmupRatio = 1e-6 } = schedule;
  require('iterations', iterations, Number.isSafeInteger(iterations) && iterations > 0, 'a positive integer');
  require('power', power, power >= 0, 'a number of at least 0');
  require('minLr', minLr, minLr >= 0, 'a number of at least 0');
  const whole = Number.isSafeInteger(warmupIterations) && warmupIterations >= 0;
  require('warmupIterations', warmupIterations, whole, 'an integer of at least 0');
  require('warmupRatio', warmupRatio, warmupRatio > 0 && warmupRatio <= 1, 'a number above 0 and up to 1');
  return (iteration, base) => {
    const rate = (base - minLr) * (1 - iteration / iterations) ** power + minLr;
    if (iteration >= warmupIterations) return rate;
    // In mmcv's order of operations, so that the rates are equal to the last bit.
    const missing = (1 - iteration / warmupIterations) * (1 - warmupRatio);
    return rate * (1 - missing);
  };
}

function require(name: string, value: number, valid: boolean, expected: string): void {
  if (!valid) throw new IIError('ERR_OPTION', `polySchedule: ${name} must be ${expected}, got ${value}`);
}

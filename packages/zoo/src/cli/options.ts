/** Parsers of option values; commander turns what they throw into an error that names the option. */
import { InvalidArgumentError } from 'commander';
import type { InputSize, TestScale } from '../models/model.js';

/** Larger sides are typing errors. */
const MAX_SIDE = 32768;

/** `512x2048` (or with `×`) as two whole numbers. */
function pairOfSides(value: string, meaning: string): [number, number] {
  const [, first = '', second = ''] = /^(\d{1,6})[x×](\d{1,6})$/i.exec(value.trim()) ?? [];
  const sides: [number, number] = [Number(first), Number(second)];
  if (!sides.every((side) => side >= 1 && side <= MAX_SIDE)) {
    throw new InvalidArgumentError(`Expected ${meaning}, each side from 1 to ${MAX_SIDE}.`);
  }
  return sides;
}

export function parseSize(value: string): InputSize {
  return pairOfSides(value, 'HEIGHTxWIDTH in pixels, for example 512x2048');
}

export function parseScale(value: string): TestScale {
  const sides = pairOfSides(value, 'LONGxSHORT in pixels, for example 2048x512');
  return [Math.max(...sides), Math.min(...sides)];
}

export function parseOpacity(value: string): number {
  const opacity = value.trim() === '' ? Number.NaN : Number(value);
  if (!(opacity >= 0 && opacity <= 1)) throw new InvalidArgumentError('Expected a number from 0 to 1.');
  return opacity;
}

export function parseThreads(value: string): number {
  const threads = /^\d{1,3}$/.test(value) ? Number(value) : Number.NaN;
  if (!(threads <= 64)) throw new InvalidArgumentError('Expected a whole number from 0 to 64.');
  return threads;
}

export function parseSeed(value: string): number {
  const seed = /^\d{1,16}$/.test(value) ? Number(value) : Number.NaN;
  if (!Number.isSafeInteger(seed)) throw new InvalidArgumentError('Expected a whole number of at least 0.');
  return seed;
}

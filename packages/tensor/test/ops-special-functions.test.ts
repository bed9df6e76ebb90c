/** The oracle's own functions against values computed with 400 decimal digits. */
import { expect, test } from 'vitest';
import { erf, erfc, gelu, sigmoid } from '../src/backends/reference/special-functions.js';

/** x, erf(x), 1 − erf(x). */
const table: readonly (readonly [number, number, number])[] = [
  [0.001, 0.0011283787909692365, 0.9988716212090307],
  [0.1, 0.1124629160182849, 0.887537083981715],
  [0.5, 0.5204998778130465, 0.4795001221869535],
  [1, 0.8427007929497149, 0.15729920705028513],
  [1.5, 0.9661051464753108, 0.033894853524689274],
  [1.9, 0.9927904292352575, 0.0072095707647425325],
  [2, 0.9953222650189527, 0.004677734981047266],
  [2.0625, 0.9964637508747902, 0.003536249125209789],
  [2.5, 0.999593047982555, 0.0004069520174449589],
  [3, 0.9999779095030014, 2.209049699858544e-5],
  [4, 0.9999999845827421, 1.541725790028002e-8],
  [5.5, 0.9999999999999927, 7.357847917974398e-15],
  [8, 1, 1.1224297172982926e-29],
  [20, 1, 5.395865611607901e-176],
  [26, 1, 5.663192408856143e-296],
];

test('erf to a few units in the last place', () => {
  for (const [x, value] of table) {
    expect(Math.abs(erf(x) - value), `erf(${x})`).toBeLessThanOrEqual(8e-16 * value);
    expect(erf(-x)).toBe(-erf(x));
  }
  expect([erf(0), erf(Infinity), erf(-Infinity), erf(NaN)]).toEqual([0, 1, -1, NaN]);
});

test('erfc keeps its relative accuracy in the tail', () => {
  for (const [x, , complement] of table) {
    // The rounding of x² is magnified by e^(−x²), and below 2 the difference from 1 cancels.
    const bound = x > 2 ? 2e-16 * (4 + x * x) : 3e-16 / complement;
    expect(Math.abs(erfc(x) / complement - 1), `erfc(${x})`).toBeLessThanOrEqual(bound);
    expect(Math.abs(erfc(-x) - (2 - complement))).toBeLessThanOrEqual(5e-16);
  }
});

test('gelu and sigmoid', () => {
  expect(gelu(-10) / -7.619853024160526e-23).toBeCloseTo(1, 12);
  expect(gelu(-1)).toBeCloseTo(-0.15865525393145705, 15);
  expect(gelu(3)).toBeCloseTo(2.99595030590511, 14);
  expect([sigmoid(0), sigmoid(-800), sigmoid(800)]).toEqual([0.5, 0, 1]);
});

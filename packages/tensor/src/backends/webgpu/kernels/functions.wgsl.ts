import type { BinaryFunction, UnaryFunction } from '../../../ops/elementwise.js';
import type { Lanes } from '../floats.wgsl.js';

const integersOf = (type: Lanes): string => type.replace('f32', 'i32');
const wordsOf = (type: Lanes): string => type.replace('f32', 'u32');
const truthsOf = (type: Lanes): string => type.replace('f32', 'bool');

/** `fn isNan`: a comparison of bits, because compilers of shaders may assume that there are no NaNs. */
export const isNanWgsl = (type: Lanes): string => `fn isNan(x: ${type}) -> ${truthsOf(type)} {
  return (bitcast<${wordsOf(type)}>(x) & ${wordsOf(type)}(0x7fffffffu)) > ${wordsOf(type)}(0x7f800000u);
}`;

/** Evaluates a polynomial, its coefficients given from the highest power down. */
export function horner(type: Lanes, variable: string, coefficients: readonly number[]): string {
  const [first, ...rest] = coefficients;
  const steps = rest.map((c) => `  q = fma(q, ${variable}, ${type}(${c}));`).join('\n');
  return `var q = ${type}(${first});\n${steps}`;
}

/**
 * `fn expOf`: `e^x` over all floats, within 2 ulp where the built-in `exp` may be off by `2·|x|` ulp. `x = n · ln 2 + r`,
 * ln 2 in two parts of which the first has so few bits that its product with `n` is exact; `2^n` is applied in two
 * halves, since it can lie outside the range of normal floats.
 */
export const expWgsl = (type: Lanes): string => `fn expOf(x: ${type}) -> ${type} {
  let clamped = clamp(x, ${type}(-104.0), ${type}(89.0));
  let n = round(clamped * 1.44269504);
  let r = fma(n, ${type}(2.12194440e-4), fma(n, ${type}(-0.693359375), clamped));
  ${horner(type, 'r', [1.38189388e-3, 8.36870354e-3, 4.16682884e-2, 0.166665211, 0.49999994])}
  let e = fma(r * r, q, r) + 1.0;
  let power = ${integersOf(type)}(n);
  let half = power >> ${wordsOf(type)}(1u);
  let first = bitcast<${type}>((half + 127) << ${wordsOf(type)}(23u));
  let second = bitcast<${type}>((power - half + 127) << ${wordsOf(type)}(23u));
  return select(e * first * second, x, isNan(x));
}`;

/**
 * `fn logOf`: natural logarithm within 2 ulp, NaN below 0, −∞ at 0. `x = 2^n · m` with `m` between √½ and √2, and `ln m` is
 * a polynomial in `m − 1`.
 */
export const logWgsl = (type: Lanes): string => `fn logOf(x: ${type}) -> ${type} {
  let tiny = x < ${type}(1.1754944e-38);
  let scaled = bitcast<${integersOf(type)}>(select(x, x * 8388608.0, tiny));
  let shifted = scaled - ${integersOf(type)}(0x3f3504f3);
  let n = ${type}((shifted >> ${wordsOf(type)}(23u)) - select(${integersOf(type)}(0), ${integersOf(type)}(23), tiny));
  let m = bitcast<${type}>(scaled - ((shifted >> ${wordsOf(type)}(23u)) << ${wordsOf(type)}(23u)));
  let f = m - 1.0;
  ${horner(type, 'f', [6.75349236e-2, -0.116766497, 0.118852593, -0.124054685, 0.142200857, -0.166680098, 0.200020805, -0.250000089, 0.333333135])}
  let square = f * f;
  let small = fma(square * f, q, fma(${type}(-0.5), square, n * -2.12194440e-4));
  // Bits that the compiler does not know: constants must not be infinite or NaN.
  var minusInfinity = ${wordsOf(type)}(0xff800000u);
  var nan = ${wordsOf(type)}(0x7fc00000u);
  var result = fma(n, ${type}(0.693359375), f + small);
  let bits = bitcast<${wordsOf(type)}>(x);
  result = select(result, x, bits == ${wordsOf(type)}(0x7f800000u));
  result = select(result, bitcast<${type}>(nan), bits > ${wordsOf(type)}(0x7f800000u));
  return select(result, bitcast<${type}>(minusInfinity), x == ${type}(0.0));
}`;

/**
 * `x · Φ(x) = max(x, 0) − |x| · Φ(−|x|)`, and `Φ(−a)` is taken as `P(a)^−8` (Hastings' form of erfc, refitted): absolute error
 * below 2e-7 for `x ≤ 4`, within 1 ulp above.
 */
export const geluCoefficients = [
  3.58552626e-7, -1.96578821e-6, 1.22466454e-5, 1.05600529e-5, 2.948732e-4, 8.86672526e-4, 9.47684422e-3, 4.88109849e-2,
  0.108762421, 1.09050775,
];

const unaryBodies: Readonly<Record<UnaryFunction, (type: Lanes) => string>> = {
  relu: (type) => `return select(x, ${type}(0.0), x < ${type}(0.0));`,
  // Beyond 16 the tail has long been 0, and the powers would leave the range of f32.
  gelu: (type) => `let a = min(abs(x), ${type}(16.0));
  ${horner(type, 'a', geluCoefficients)}
  q *= q;
  q *= q;
  q *= q;
  return select(x, ${type}(0.0), x < ${type}(0.0)) - a / q;`,
  silu: () => 'return x / (1.0 + expOf(-x));',
  sigmoid: () => 'return 1.0 / (1.0 + expOf(-x));',
  exp: () => 'return expOf(x);',
  log: () => 'return logOf(x);',
  sqrt: () => 'return sqrt(x);',
  abs: () => 'return abs(x);',
  neg: () => 'return -x;',
};

/** `fn apply(x)`: one of the functions of a single argument. */
export function unaryWgsl(fn: UnaryFunction, type: Lanes): string {
  const needs = {
    exp: ['exp', 'sigmoid', 'silu'].includes(fn) ? `${isNanWgsl(type)}\n${expWgsl(type)}\n` : '',
    log: fn === 'log' ? `${logWgsl(type)}\n` : '',
  };
  return `${needs.exp}${needs.log}fn apply(x: ${type}) -> ${type} {\n  ${unaryBodies[fn](type)}\n}`;
}

const extreme = (fn: string): string => `return select(select(${fn}(a, b), b, isNan(b)), a, isNan(a));`;

const comparison =
  (operator: string) =>
  (type: Lanes): string =>
    `return select(${type}(a ${operator} b), ${type}(0.0), isNan(a) | isNan(b));`;

const binaryBodies: Readonly<Record<BinaryFunction, (type: Lanes) => string>> = {
  add: () => 'return a + b;',
  sub: () => 'return a - b;',
  mul: () => 'return a * b;',
  div: () => 'return a / b;',
  maximum: () => extreme('max'),
  minimum: () => extreme('min'),
  greater: comparison('>'),
  equal: comparison('=='),
};

/** `fn apply(a, b)`: one of the functions of two arguments; where either is NaN, the extremes are, and comparisons 0. */
export function binaryWgsl(fn: BinaryFunction, type: Lanes): string {
  const needs = ['maximum', 'minimum', 'greater', 'equal'].includes(fn) ? `${isNanWgsl(type)}\n` : '';
  return `${needs}fn apply(a: ${type}, b: ${type}) -> ${type} {\n  ${binaryBodies[fn](type)}\n}`;
}

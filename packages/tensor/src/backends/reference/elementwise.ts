import type { DType } from '../../dtype.js';
import { floatToHalf, halfToFloat } from '../../half.js';
import type { Bound } from '../../kernel.js';
import type { AddScaledInputs, BinaryFunction, BinaryInputs, UnaryFunction } from '../../ops/elementwise.js';
import { broadcastStrides } from '../../shape.js';
import type { ReferenceArray } from './backend.js';
import { gelu, sigmoid } from './special-functions.js';
import { forEachIndex } from './strided.js';

export const unaryFunctions: Readonly<Record<UnaryFunction, (x: number) => number>> = {
  relu: (x) => Math.max(x, 0),
  gelu,
  silu: (x) => x * sigmoid(x),
  sigmoid,
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  abs: Math.abs,
  neg: (x) => -x,
};

export function unaryReference(
  { x }: { readonly x: ReferenceArray },
  { y }: { readonly y: ReferenceArray },
  { fn }: { readonly fn: UnaryFunction },
): void {
  const f = unaryFunctions[fn];
  for (let i = 0; i < y.data.length; i++) y.data[i] = f(x.data[i]!);
}

const binaryFunctions: Readonly<Record<BinaryFunction, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  maximum: Math.max,
  minimum: Math.min,
  greater: (a, b) => (a > b ? 1 : 0),
  equal: (a, b) => (a === b ? 1 : 0),
};

export function binaryReference(
  { a, b }: Bound<BinaryInputs, ReferenceArray>,
  { y }: { readonly y: ReferenceArray },
  { fn }: { readonly fn: BinaryFunction },
): void {
  const f = binaryFunctions[fn];
  const strides = [broadcastStrides(a.shape, y.shape), broadcastStrides(b.shape, y.shape)] as const;
  let i = 0;
  forEachIndex(y.shape, strides, (ia, ib) => {
    y.data[i++] = f(a.data[ia]!, b.data[ib]!);
  });
}

export function addScaledReference(
  { x, y, scale }: Bound<AddScaledInputs, ReferenceArray>,
  { z }: { readonly z: ReferenceArray },
): void {
  const channels = scale.data.length;
  for (let i = 0; i < z.data.length; i++) z.data[i] = x.data[i]! + scale.data[i % channels]! * y.data[i]!;
}

export function castReference({ x }: { readonly x: ReferenceArray }, { y }: { readonly y: ReferenceArray }): void {
  for (let i = 0; i < y.data.length; i++) y.data[i] = toDType(x.data[i]!, y.dtype);
}

/** The value that an element of `dtype` takes for `value`; f32 stays in f64. */
export function toDType(value: number, dtype: DType): number {
  if (dtype === 'f32') return value;
  if (dtype === 'f16') return halfToFloat(floatToHalf(value));
  const [low, high] = dtype === 'u8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  // Adding 0 turns the −0 that truncation leaves into 0.
  return Number.isNaN(value) ? 0 : Math.min(Math.max(Math.trunc(value), low), high) + 0;
}

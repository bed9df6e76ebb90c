import {
  addScaledReference,
  binaryReference,
  castReference,
  unaryReference,
} from '../backends/reference/elementwise.js';
import { addScaledWasm, binaryWasm, castWasm, unaryWasm } from '../backends/wasm/kernels/elementwise.js';
import { castWebGpu } from '../backends/webgpu/kernels/cast.js';
import { addScaledWebGpu, binaryWebGpu, unaryWebGpu } from '../backends/webgpu/kernels/elementwise.js';
import type { DType } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { broadcastShapes, sameShape, showShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { checkDType, checkShapeIs } from './check.js';

export type UnaryFunction = 'relu' | 'gelu' | 'silu' | 'sigmoid' | 'exp' | 'log' | 'sqrt' | 'abs' | 'neg';

const unaryKernel = defineKernel<{ x: Slot }, { y: Slot }, { readonly fn: UnaryFunction }>('unary', {
  reference: unaryReference,
  wasm: unaryWasm,
  webgpu: unaryWebGpu,
});

function unary(fn: UnaryFunction, x: Tensor): Tensor {
  checkDType(fn, x);
  const y = x.device.empty(x.shape);
  x.device.enqueue(unaryKernel, { inputs: { x }, outputs: { y }, params: { fn } });
  return y;
}

/** `max(x, 0)`. */
export const relu = (x: Tensor): Tensor => unary('relu', x);
/** The exact (erf) GELU: `x / 2 · (1 + erf(x / √2))`. */
export const gelu = (x: Tensor): Tensor => unary('gelu', x);
/** `x · sigmoid(x)`. */
export const silu = (x: Tensor): Tensor => unary('silu', x);
/** `1 / (1 + e^−x)`. */
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', x);
export const exp = (x: Tensor): Tensor => unary('exp', x);
/** Natural logarithm; NaN below 0. */
export const log = (x: Tensor): Tensor => unary('log', x);
export const sqrt = (x: Tensor): Tensor => unary('sqrt', x);
export const abs = (x: Tensor): Tensor => unary('abs', x);
export const neg = (x: Tensor): Tensor => unary('neg', x);

export type BinaryFunction = 'add' | 'sub' | 'mul' | 'div' | 'maximum' | 'minimum' | 'greater' | 'equal';

/** Slots: a and b broadcast to y; f32. */
export interface BinaryInputs {
  readonly a: Slot;
  readonly b: Slot;
}

const binaryKernel = defineKernel<BinaryInputs, { y: Slot }, { readonly fn: BinaryFunction }>('binary', {
  reference: binaryReference,
  wasm: binaryWasm,
  webgpu: binaryWebGpu,
});

function binary(fn: BinaryFunction, a: Tensor, b: Tensor | number): Tensor {
  if (!(b instanceof Tensor)) {
    const scalar = a.device.tensor([b], []);
    const y = binary(fn, a, scalar);
    scalar.dispose();
    return y;
  }
  checkDType(`${fn} a`, a);
  checkDType(`${fn} b`, b);
  const y = a.device.empty(broadcastShapes(a.shape, b.shape, fn));
  a.device.enqueue(binaryKernel, { inputs: { a, b }, outputs: { y }, params: { fn } });
  return y;
}

/** `a + b`, broadcast as in NumPy; `b` may be a number. */
export const add = (a: Tensor, b: Tensor | number): Tensor => binary('add', a, b);
/** `a − b`, broadcast. */
export const sub = (a: Tensor, b: Tensor | number): Tensor => binary('sub', a, b);
/** `a · b`, broadcast. */
export const mul = (a: Tensor, b: Tensor | number): Tensor => binary('mul', a, b);
/** `a / b`, broadcast. */
export const div = (a: Tensor, b: Tensor | number): Tensor => binary('div', a, b);
/** The larger of `a` and `b`, broadcast; NaN where either is NaN. */
export const maximum = (a: Tensor, b: Tensor | number): Tensor => binary('maximum', a, b);
/** The smaller of `a` and `b`, broadcast; NaN where either is NaN. */
export const minimum = (a: Tensor, b: Tensor | number): Tensor => binary('minimum', a, b);
/** 1 where `a > b`, else 0 (also where either is NaN), as f32; broadcast. */
export const greater = (a: Tensor, b: Tensor | number): Tensor => binary('greater', a, b);
/** 1 where `a = b`, else 0 (also where either is NaN), as f32; broadcast. */
export const equal = (a: Tensor, b: Tensor | number): Tensor => binary('equal', a, b);

/** Slots: x and y of one shape `[…, C]`, scale `[C]`, z like x. */
export interface AddScaledInputs {
  readonly x: Slot;
  readonly y: Slot;
  readonly scale: Slot;
}

const addScaledKernel = defineKernel<AddScaledInputs, { z: Slot }, object>('addScaled', {
  reference: addScaledReference,
  wasm: addScaledWasm,
  webgpu: addScaledWebGpu,
});

/**
 * `x + scale · y` in one pass: a residual connection with layer scale.
 *
 * @param x `[…, C]`. @param y like x. @param scale `[C]`.
 */
export function addScaled(x: Tensor, y: Tensor, scale: Tensor): Tensor {
  for (const tensor of [x, y, scale]) checkDType('addScaled', tensor);
  if (!sameShape(x.shape, y.shape)) {
    throw new ShapeError(`addScaled: shapes ${showShape(x.shape)} and ${showShape(y.shape)} differ`);
  }
  checkShapeIs('addScaled scale', scale, x.shape.slice(-1));
  const z = x.device.empty(x.shape);
  x.device.enqueue(addScaledKernel, { inputs: { x, y, scale }, outputs: { z }, params: {} });
  return z;
}

const castKernel = defineKernel<{ x: Slot }, { y: Slot }, object>('cast', {
  reference: castReference,
  wasm: castWasm,
  webgpu: castWebGpu,
});

/**
 * Converts the elements to another dtype. Floats become integers by truncation towards zero, clamped to the range of
 * the dtype (NaN becomes 0); f32 becomes f16 by rounding to nearest even.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  const y = x.device.empty(x.shape, dtype);
  x.device.enqueue(castKernel, { inputs: { x }, outputs: { y }, params: {} });
  return y;
}

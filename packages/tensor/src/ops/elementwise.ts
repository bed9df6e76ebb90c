import { addScaledReference, castReference, unaryReference } from '../backends/reference/elementwise.js';
import { addScaledWasm, castWasm, unaryWasm } from '../backends/wasm/kernels/elementwise.js';
import { castWebGpu } from '../backends/webgpu/kernels/cast.js';
import { addScaledWebGpu, unaryWebGpu } from '../backends/webgpu/kernels/elementwise.js';
import { differentiable, isTracked, type Gradient } from '../autograd/tape.js';
import type { DType } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { sameShape, showShape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { binary, type BinaryFunction } from './binary.js';
import { checkDType, checkShapeIs } from './check.js';
import { unaryGradient } from './gradients/index.js';
import { sumTo } from './reduce.js';

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
  // The sign of relu's result tells as much as that of its input, which is often needed by nobody else.
  const saved = [fn === 'relu' ? y : x];
  return differentiable(y, { name: fn, inputs: [x], saved, gradient: (gy, [at]) => [unaryGradient(fn, at!, gy)] });
}

/** `max(x, 0)`. */
export const relu = (x: Tensor): Tensor => unary('relu', x);
/** The exact (erf) GELU: `x / 2 · (1 + erf(x / √2))`. */
export const gelu = (x: Tensor): Tensor => unary('gelu', x);
/** `x · sigmoid(x)`. */
export const silu = (x: Tensor): Tensor => unary('silu', x);
/** `1 / (1 + e^−x)`. */
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', x);
/** `e^x`. */
export const exp = (x: Tensor): Tensor => unary('exp', x);
/** Natural logarithm; NaN below 0. */
export const log = (x: Tensor): Tensor => unary('log', x);
/** Square root; NaN below 0. */
export const sqrt = (x: Tensor): Tensor => unary('sqrt', x);
/** `|x|`; its gradient at 0 is 0. */
export const abs = (x: Tensor): Tensor => unary('abs', x);
/** `−x`. */
export const neg = (x: Tensor): Tensor => unary('neg', x);

export type { BinaryFunction, BinaryInputs } from './binary.js';

/** Gradients of `a` and `b`, of the broadcast shape. */
type BinaryGradient = (gy: Tensor, a: Tensor, b: Tensor, needed: readonly boolean[]) => readonly (Tensor | undefined)[];

/** Where the operands are equal, each gets half, as in PyTorch. */
function extremeGradient(gy: Tensor, chosen: Tensor, other: Tensor): readonly [Tensor, Tensor] {
  const share = binary('add', binary('greater', chosen, other), binary('mul', binary('equal', chosen, other), 0.5));
  const first = binary('mul', gy, share);
  return [first, binary('sub', gy, first)];
}

/** The comparisons are steps, without a gradient. */
type Differentiable = Exclude<BinaryFunction, 'greater' | 'equal'>;

const binaryGradients: { readonly [F in Differentiable]: BinaryGradient } = {
  add: (gy) => [gy, gy],
  sub: (gy, _a, _b, [, needsB]) => [gy, needsB ? neg(gy) : undefined],
  mul: (gy, a, b, [needsA, needsB]) => [
    needsA ? binary('mul', gy, b) : undefined,
    needsB ? binary('mul', gy, a) : undefined,
  ],
  div: (gy, a, b, [, needsB]) => {
    const first = binary('div', gy, b);
    return [first, needsB ? neg(binary('mul', first, binary('div', a, b))) : undefined];
  },
  maximum: extremeGradient,
  minimum: (gy, a, b) => {
    const [ofLarger, ofSmaller] = extremeGradient(gy, a, b);
    return [ofSmaller, ofLarger];
  },
};

/** Which operands the gradients need: sums are linear, and a factor is needed for the gradient of the other one only. */
function savedOperands(fn: Differentiable, a: Tensor, b: Tensor): readonly [boolean, boolean] {
  if (fn === 'add' || fn === 'sub') return [false, false];
  return fn === 'mul' ? [isTracked(b), isTracked(a)] : [true, true];
}

function arithmetic(fn: Differentiable, a: Tensor, b: Tensor | number): Tensor {
  const y = binary(fn, a, b);
  if (!isTracked(a, b instanceof Tensor ? b : undefined)) return y;
  // A number is a scalar that nobody asks the gradient of.
  const other = b instanceof Tensor ? b : a.device.tensor([b], []);
  const shapes = [a.shape, other.shape] as const;
  const [savesA, savesB] = savedOperands(fn, a, other);
  const saved = [...(savesA ? [a] : []), ...(savesB ? [other] : [])];
  const gradient: Gradient = (gy, operands, needed) => {
    // What was not saved is not looked at.
    const [left, right] = [savesA ? operands[0]! : gy, savesB ? operands.at(-1)! : gy];
    return binaryGradients[fn](gy, left, right, needed).map((full, i) =>
      needed[i] && full ? sumTo(full, shapes[i]!) : null,
    );
  };
  differentiable(y, { name: fn, inputs: [a, other], saved, gradient });
  if (other !== b) other.dispose();
  return y;
}

/** `a + b`, broadcast as in NumPy; `b` may be a number. */
export const add = (a: Tensor, b: Tensor | number): Tensor => arithmetic('add', a, b);
/** `a − b`, broadcast. */
export const sub = (a: Tensor, b: Tensor | number): Tensor => arithmetic('sub', a, b);
/** `a · b`, broadcast. */
export const mul = (a: Tensor, b: Tensor | number): Tensor => arithmetic('mul', a, b);
/** `a / b`, broadcast. */
export const div = (a: Tensor, b: Tensor | number): Tensor => arithmetic('div', a, b);
/** The larger of `a` and `b`, broadcast; NaN where either is NaN. */
export const maximum = (a: Tensor, b: Tensor | number): Tensor => arithmetic('maximum', a, b);
/** The smaller of `a` and `b`, broadcast; NaN where either is NaN. */
export const minimum = (a: Tensor, b: Tensor | number): Tensor => arithmetic('minimum', a, b);
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
  const gradient: Gradient = (gz, [branch, factor], [, needsY, needsScale]) => [
    gz,
    needsY ? binary('mul', gz, factor!) : null,
    needsScale ? sumTo(binary('mul', gz, branch!), factor!.shape) : null,
  ];
  return differentiable(z, { name: 'addScaled', inputs: [x, y, scale], saved: [y, scale], gradient });
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
  const floats = isFloat(x.dtype) && isFloat(dtype);
  if (!floats) return y;
  return differentiable(y, { name: 'cast', inputs: [x], gradient: (gy) => [cast(gy, x.dtype)] });
}

const isFloat = (dtype: DType): boolean => dtype === 'f32' || dtype === 'f16';

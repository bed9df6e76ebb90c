import { argmaxReference, reduceReference, softmaxReference } from '../backends/reference/reduce.js';
import { argmaxWasm, reduceWasm, softmaxWasm } from '../backends/wasm/kernels/reduce.js';
import { argmaxWebGpu, softmaxWebGpu } from '../backends/webgpu/kernels/lines.js';
import { reduceWebGpu } from '../backends/webgpu/kernels/reduce.js';
import { differentiable, noGrad, type Gradient } from '../autograd/tape.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { scope } from '../scope.js';
import {
  axisView,
  broadcastShapes,
  resolveAxes,
  resolveAxis,
  sameShape,
  showShape,
  sizeOf,
  type AxisView,
  type Shape,
} from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDType } from './check.js';
import { binary } from './binary.js';
import { repeat } from './copy.js';
import { reshape } from './layout.js';

export type ReduceFunction = 'sum' | 'sumSquares' | 'mean' | 'max' | 'min';

export interface ReduceParams extends AxisView {
  readonly fn: ReduceFunction;
}

/** x is seen as `[outer, length, inner]`, y as `[outer, inner]`. */
const reduceKernel = defineKernel<{ x: Slot }, { y: Slot }, ReduceParams>('reduce', {
  reference: reduceReference,
  wasm: reduceWasm,
  webgpu: reduceWebGpu,
});

export interface ReduceOptions {
  /** Axes to reduce. Default: all. */
  readonly axes?: number | readonly number[];
  /** Keeps reduced axes with size 1. Default: false. */
  readonly keepDims?: boolean;
}

function reduce(fn: ReduceFunction, x: Tensor, options: ReduceOptions): Tensor {
  checkDType(fn, x);
  const reduced = resolveAxes(options.axes, x.shape.length, fn);
  const y = noGrad(() => runReduce(fn, x, options));
  const kept = x.shape.map((d, i) => (reduced.includes(i) ? 1 : d));
  const { shape } = x;
  if (fn === 'sum' || fn === 'mean') {
    const share = fn === 'sum' ? 1 : y.size / x.size;
    const gradient: Gradient = (gy) => {
      const part = share === 1 ? gy : binary('mul', gy, share);
      return [repeat(reshape(part, kept), shape)];
    };
    return differentiable(y, { name: fn, inputs: [x], gradient });
  }
  if (fn === 'sumSquares') {
    const gradient: Gradient = (gy, [all]) => [binary('mul', all!, binary('mul', reshape(gy, kept), 2))];
    return differentiable(y, { name: fn, inputs: [x], saved: [x], gradient });
  }
  return differentiable(y, {
    name: fn,
    inputs: [x],
    saved: [x, y],
    gradient: (gy, [all, extreme]) => [extremeGradient(gy, all!, reshape(extreme!, kept), reduced)],
  });
}

/** Elements equal to the extreme share its gradient, as in PyTorch's `amax` and `amin`. */
function extremeGradient(gy: Tensor, x: Tensor, extreme: Tensor, axes: readonly number[]): Tensor {
  const here = binary('equal', x, extreme);
  const count = sum(here, { axes, keepDims: true });
  return binary('mul', here, binary('div', reshape(gy, extreme.shape), count));
}

function runReduce(fn: ReduceFunction, x: Tensor, { axes, keepDims = false }: ReduceOptions): Tensor {
  const reduced = resolveAxes(axes, x.shape.length, fn);
  if (fn !== 'sum' && fn !== 'sumSquares' && reduced.some((a) => x.shape[a] === 0)) {
    throw new ShapeError(`${fn}: has no value over an axis of size 0 (shape ${showShape(x.shape)})`);
  }
  if (fn === 'sumSquares' && reduced.length === 0) {
    const column = reshape(x, [...x.shape, 1]);
    const squares = reduce(fn, column, { axes: -1 });
    column.dispose();
    return squares;
  }
  let result = reshape(x, x.shape);
  // Each run of neighbouring axes is one pass; the last run goes first so that earlier axes keep their places.
  for (let end = reduced.length; end > 0;) {
    let start = end - 1;
    while (start > 0 && reduced[start - 1] === reduced[start]! - 1) start--;
    const from = reduced[start]!;
    const to = reduced[end - 1]! + 1;
    const length = sizeOf(result.shape.slice(from, to));
    const merged = [...result.shape.slice(0, from), length, ...result.shape.slice(to)];
    const shape = result.shape.map((d, i) => (i >= from && i < to ? 1 : d));
    const y = x.device.empty(shape);
    x.device.enqueue(reduceKernel, {
      inputs: { x: result },
      outputs: { y },
      // What a first pass has squared is only added up by the next.
      params: { fn: fn === 'sumSquares' && end < reduced.length ? 'sum' : fn, ...axisView(merged, from) },
    });
    result.dispose();
    result = y;
    end = start;
  }
  if (keepDims) return result;
  const squeezed = reshape(
    result,
    x.shape.filter((_, i) => !reduced.includes(i)),
  );
  result.dispose();
  return squeezed;
}

/** Sum over `axes`. */
export const sum = (x: Tensor, options: ReduceOptions = {}): Tensor => reduce('sum', x, options);
/** Sum of the squares over `axes`. */
export const sumSquares = (x: Tensor, options: ReduceOptions = {}): Tensor => reduce('sumSquares', x, options);
/** Mean over `axes`. */
export const mean = (x: Tensor, options: ReduceOptions = {}): Tensor => reduce('mean', x, options);
/** Largest element over `axes`. */
export const max = (x: Tensor, options: ReduceOptions = {}): Tensor => reduce('max', x, options);
/** Smallest element over `axes`. */
export const min = (x: Tensor, options: ReduceOptions = {}): Tensor => reduce('min', x, options);

/**
 * Adds up the axes that broadcasting `shape` to that of `x` repeats: the adjoint of broadcasting.
 *
 * @throws ShapeError when `shape` does not broadcast to the shape of `x`.
 */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (!sameShape(broadcastShapes(x.shape, shape, 'sumTo'), x.shape)) {
    throw new ShapeError(`sumTo: ${showShape(shape)} does not broadcast to ${showShape(x.shape)}`);
  }
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []));
  return scope(() => reshape(axes.length > 0 ? sum(x, { axes }) : x, shape));
}

/**
 * `x` repeated along the axes that broadcasting it to `shape` repeats.
 *
 * @throws ShapeError when the shape of `x` does not broadcast to `shape`.
 */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  if (!sameShape(broadcastShapes(x.shape, shape, 'broadcastTo'), shape)) {
    throw new ShapeError(`broadcastTo: ${showShape(x.shape)} does not broadcast to ${showShape(shape)}`);
  }
  const { shape: own } = x;
  return differentiable(repeat(x, shape), {
    name: 'broadcastTo',
    inputs: [x],
    gradient: (gy) => [sumTo(gy, own)],
  });
}

/** x is seen as `[outer, length, inner]`, y as `[outer, inner]`. */
const argmaxKernel = defineKernel<{ x: Slot }, { y: Slot }, AxisView>('argmax', {
  reference: argmaxReference,
  wasm: argmaxWasm,
  webgpu: argmaxWebGpu,
});

/** Index of the largest element along an axis (default: the last), as i32; the lowest index wins ties. */
export function argmax(x: Tensor, axis = -1): Tensor {
  checkDType('argmax', x);
  const at = resolveAxis(axis, x.shape.length, 'argmax');
  if (x.shape[at] === 0)
    throw new ShapeError(`argmax: has no value over an axis of size 0 (shape ${showShape(x.shape)})`);
  const y = x.device.empty(
    x.shape.filter((_, i) => i !== at),
    'i32',
  );
  x.device.enqueue(argmaxKernel, { inputs: { x }, outputs: { y }, params: axisView(x.shape, at) });
  return y;
}

/** x and y are seen as `[outer, length, inner]`. */
const softmaxKernel = defineKernel<{ x: Slot }, { y: Slot }, AxisView>('softmax', {
  reference: softmaxReference,
  wasm: softmaxWasm,
  webgpu: softmaxWebGpu,
});

/** `e^x / Σ e^x` along an axis (default: the last), computed after subtracting the maximum. */
export function softmax(x: Tensor, axis = -1): Tensor {
  checkDType('softmax', x);
  const at = resolveAxis(axis, x.shape.length, 'softmax');
  const y = x.device.empty(x.shape);
  if (x.size > 0) x.device.enqueue(softmaxKernel, { inputs: { x }, outputs: { y }, params: axisView(x.shape, at) });
  const gradient: Gradient = (gy, [shares]) => {
    const weighted = binary('mul', gy, shares!);
    return [binary('sub', weighted, binary('mul', shares!, sum(weighted, { axes: at, keepDims: true })))];
  };
  return differentiable(y, { name: 'softmax', inputs: [x], saved: [y], gradient });
}

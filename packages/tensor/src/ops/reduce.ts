import { argmaxReference, reduceReference, softmaxReference } from '../backends/reference/reduce.js';
import { argmaxWasm, reduceWasm, softmaxWasm } from '../backends/wasm/kernels/reduce.js';
import { argmaxWebGpu, softmaxWebGpu } from '../backends/webgpu/kernels/lines.js';
import { reduceWebGpu } from '../backends/webgpu/kernels/reduce.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { axisView, resolveAxes, resolveAxis, showShape, sizeOf, type AxisView } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDType } from './check.js';
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

function reduce(fn: ReduceFunction, x: Tensor, { axes, keepDims = false }: ReduceOptions): Tensor {
  checkDType(fn, x);
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
  return y;
}

import { copyReference, fillReference } from '../backends/reference/layout.js';
import { copyWasm, fillWasm } from '../backends/wasm/kernels/layout.js';
import { copyWebGpu, fillWebGpu } from '../backends/webgpu/kernels/layout.js';
import { DTypeError, ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { checkShape, resolveAxes, resolveAxis, sameShape, showShape, sizeOf, stridesOf, type Shape } from '../shape.js';
import { Tensor } from '../tensor.js';

/**
 * Moves a block of `shape` between two strided places; strides and offsets are in elements, strides may be negative or
 * 0. Any dtype; both tensors have the same.
 */
export interface CopyParams {
  readonly shape: Shape;
  readonly fromStrides: readonly number[];
  readonly fromOffset: number;
  readonly toStrides: readonly number[];
  readonly toOffset: number;
}

const copyKernel = defineKernel<{ x: Slot }, { y: Slot }, CopyParams>('copy', {
  reference: copyReference,
  wasm: copyWasm,
  webgpu: copyWebGpu,
});

const fillKernel = defineKernel<object, { y: Slot }, { readonly value: number }>('fill', {
  reference: fillReference,
  wasm: fillWasm,
  webgpu: fillWebGpu,
});

/** A view of the same elements in another shape; one size may be −1 and is then computed. No data move. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const known = shape.filter((d) => d !== -1);
  const target =
    known.length === shape.length - 1
      ? shape.map((d) => (d === -1 ? x.size / Math.max(1, sizeOf(known)) : d))
      : [...shape];
  checkShape(target);
  if (sizeOf(target) !== x.size) {
    throw new ShapeError(
      `reshape: ${showShape(x.shape)} has ${x.size} elements, ${showShape(shape)} does not hold as many`,
    );
  }
  return new Tensor(x.storage.retain(), target, x.dtype);
}

/** Axes in a new order: axis `i` of the result is axis `axes[i]` of `x`. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const rank = x.shape.length;
  if (axes.length !== rank) throw new ShapeError(`permute: ${axes.length} axes given for a tensor of rank ${rank}`);
  resolveAxes(axes, rank, 'permute');
  const order = axes.map((a) => resolveAxis(a, rank, 'permute'));
  const strides = stridesOf(x.shape);
  const shape = order.map((a) => x.shape[a]!);
  return gather(
    x,
    shape,
    order.map((a) => strides[a]!),
    0,
  );
}

/** Reverses the order of the elements along `axes`. */
export function flip(x: Tensor, axes: number | readonly number[]): Tensor {
  const flipped = resolveAxes(axes, x.shape.length, 'flip');
  const strides = stridesOf(x.shape);
  if (x.size === 0) return gather(x, x.shape, strides, 0);
  let offset = 0;
  for (const a of flipped) {
    offset += (x.shape[a]! - 1) * strides[a]!;
    strides[a] = -strides[a]!;
  }
  return gather(x, x.shape, strides, offset);
}

/**
 * The block from `start` up to, not including, `end` along each axis; negative positions count from the end, and a
 * missing or `undefined` end means the whole axis.
 */
export function slice(x: Tensor, start: readonly number[], end: readonly (number | undefined)[] = []): Tensor {
  const strides = stridesOf(x.shape);
  if (start.length > x.shape.length || end.length > x.shape.length) {
    throw new ShapeError(`slice: more positions than axes for shape ${showShape(x.shape)}`);
  }
  let offset = 0;
  const shape = x.shape.map((size, i) => {
    const from = position(start[i] ?? 0, size);
    const to = position(end[i] ?? size, size);
    if (from < 0 || to > size || from > to) {
      throw new ShapeError(
        `slice: range ${start[i] ?? 0} to ${end[i] ?? size} is outside axis ${i} of ${showShape(x.shape)}`,
      );
    }
    offset += from * strides[i]!;
    return to - from;
  });
  return gather(x, shape, strides, offset);
}

/** Joins tensors along an axis; all other sizes and the dtype must agree. */
export function concat(tensors: readonly Tensor[], axis = -1): Tensor {
  const [first] = tensors;
  if (!first) throw new ShapeError('concat: needs at least one tensor');
  const at = resolveAxis(axis, first.shape.length, 'concat');
  for (const t of tensors) {
    if (t.dtype !== first.dtype)
      throw new DTypeError(`concat: dtypes ${first.dtype} and ${t.dtype} differ; cast() first`);
    if (!sameShape(withSize(t.shape, at, 0), withSize(first.shape, at, 0))) {
      throw new ShapeError(
        `concat: shapes ${showShape(first.shape)} and ${showShape(t.shape)} differ outside axis ${at}`,
      );
    }
  }
  const total = tensors.reduce((n, t) => n + t.shape[at]!, 0);
  const y = first.device.empty(withSize(first.shape, at, total), first.dtype);
  const toStrides = stridesOf(y.shape);
  let toOffset = 0;
  for (const x of tensors) {
    const params = { shape: x.shape, fromStrides: stridesOf(x.shape), fromOffset: 0, toStrides, toOffset };
    if (x.size > 0) x.device.enqueue(copyKernel, { inputs: { x }, outputs: { y }, params });
    toOffset += x.shape[at]! * toStrides[at]!;
  }
  return y;
}

/**
 * Surrounds a tensor with `value`.
 *
 * @param widths for each axis `[before, after]`.
 */
export function pad(x: Tensor, widths: readonly (readonly [number, number])[], value = 0): Tensor {
  if (widths.length !== x.shape.length) {
    throw new ShapeError(`pad: ${widths.length} widths given for a tensor of rank ${x.shape.length}`);
  }
  if (widths.some(([before, after]) => before < 0 || after < 0)) {
    throw new ShapeError('pad: widths must not be negative; use slice() to crop');
  }
  const y = full(
    x,
    x.shape.map((d, i) => d + widths[i]![0] + widths[i]![1]),
    value,
  );
  const toStrides = stridesOf(y.shape);
  const toOffset = widths.reduce((n, [before], i) => n + before * toStrides[i]!, 0);
  const params = { shape: x.shape, fromStrides: stridesOf(x.shape), fromOffset: 0, toStrides, toOffset };
  if (x.size > 0) x.device.enqueue(copyKernel, { inputs: { x }, outputs: { y }, params });
  return y;
}

/** A tensor of `shape` filled with `value`, on the device and with the dtype of `like`. */
export function full(like: Tensor, shape: Shape, value: number): Tensor {
  const y = like.device.empty(shape, like.dtype);
  if (y.size > 0) like.device.enqueue(fillKernel, { inputs: {}, outputs: { y }, params: { value } });
  return y;
}

/** Overwrites `to` with the elements of `from`, of the same shape and dtype. */
export function copyInto(to: Tensor, from: Tensor): void {
  const strides = stridesOf(to.shape);
  const params = { shape: to.shape, fromStrides: strides, fromOffset: 0, toStrides: strides, toOffset: 0 };
  if (to.size > 0) to.device.enqueue(copyKernel, { inputs: { x: from }, outputs: { y: to }, params });
}

function gather(x: Tensor, shape: Shape, fromStrides: readonly number[], fromOffset: number): Tensor {
  const y = x.device.empty(shape, x.dtype);
  const params = { shape, fromStrides, fromOffset, toStrides: stridesOf(shape), toOffset: 0 };
  if (y.size > 0) x.device.enqueue(copyKernel, { inputs: { x }, outputs: { y }, params });
  return y;
}

const position = (value: number, size: number): number => (value < 0 ? value + size : value);

const withSize = (shape: Shape, axis: number, size: number): number[] => shape.map((d, i) => (i === axis ? size : d));

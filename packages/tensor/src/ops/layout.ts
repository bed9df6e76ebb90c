import { fillReference } from '../backends/reference/layout.js';
import { fillWasm } from '../backends/wasm/kernels/layout.js';
import { fillWebGpu } from '../backends/webgpu/kernels/layout.js';
import { differentiable, type Gradient } from '../autograd/tape.js';
import { DTypeError, ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { checkShape, resolveAxes, resolveAxis, sameShape, showShape, sizeOf, stridesOf, type Shape } from '../shape.js';
import { Tensor } from '../tensor.js';
import { copyBlock, gather } from './copy.js';

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
  const y = new Tensor(x.storage.retain(), target, x.dtype);
  const { shape: own } = x;
  return differentiable(y, { name: 'reshape', inputs: [x], gradient: (gy) => [reshape(gy, own)] });
}

/** Axes in a new order: axis `i` of the result is axis `axes[i]` of `x`. */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const rank = x.shape.length;
  if (axes.length !== rank) throw new ShapeError(`permute: ${axes.length} axes given for a tensor of rank ${rank}`);
  resolveAxes(axes, rank, 'permute');
  const order = axes.map((a) => resolveAxis(a, rank, 'permute'));
  const strides = stridesOf(x.shape);
  const y = gather(
    x,
    order.map((a) => x.shape[a]!),
    order.map((a) => strides[a]!),
    0,
  );
  const back = order.map((_, i) => order.indexOf(i));
  return differentiable(y, { name: 'permute', inputs: [x], gradient: (gy) => [permute(gy, back)] });
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
  const y = gather(x, x.shape, strides, offset);
  return differentiable(y, { name: 'flip', inputs: [x], gradient: (gy) => [flip(gy, flipped)] });
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
  const widths: [number, number][] = [];
  const shape = x.shape.map((size, i) => {
    const from = position(start[i] ?? 0, size);
    const to = position(end[i] ?? size, size);
    if (from < 0 || to > size || from > to) {
      throw new ShapeError(
        `slice: range ${start[i] ?? 0} to ${end[i] ?? size} is outside axis ${i} of ${showShape(x.shape)}`,
      );
    }
    offset += from * strides[i]!;
    widths.push([from, size - to]);
    return to - from;
  });
  const y = gather(x, shape, strides, offset);
  return differentiable(y, { name: 'slice', inputs: [x], gradient: (gy) => [pad(gy, widths)] });
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
    copyBlock(x, y, { shape: x.shape, fromStrides: stridesOf(x.shape), fromOffset: 0, toStrides, toOffset });
    toOffset += x.shape[at]! * toStrides[at]!;
  }
  const sizes = tensors.map((t) => t.shape[at]!);
  const gradient: Gradient = (gy, _saved, needed) => {
    let end = 0;
    return sizes.map((size, i) => {
      const start = end;
      end += size;
      const along = <T>(here: T, elsewhere: T): T[] => [...new Array<T>(at).fill(elsewhere), here];
      return needed[i] ? slice(gy, along(start, 0), along<number | undefined>(end, undefined)) : null;
    });
  };
  return differentiable(y, { name: 'concat', inputs: tensors, gradient });
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
  copyBlock(x, y, { shape: x.shape, fromStrides: stridesOf(x.shape), fromOffset: 0, toStrides, toOffset });
  const starts = widths.map(([before]) => before);
  const ends = x.shape.map((d, i) => starts[i]! + d);
  return differentiable(y, { name: 'pad', inputs: [x], gradient: (gy) => [slice(gy, starts, ends)] });
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
  copyBlock(from, to, { shape: to.shape, fromStrides: strides, fromOffset: 0, toStrides: strides, toOffset: 0 });
}

const position = (value: number, size: number): number => (value < 0 ? value + size : value);

const withSize = (shape: Shape, axis: number, size: number): number[] => shape.map((d, i) => (i === axis ? size : d));

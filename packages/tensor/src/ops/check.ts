import { DTypeError, ShapeError } from '../errors.js';
import { sameShape, showShape, type Shape } from '../shape.js';
import type { DType } from '../dtype.js';
import type { Tensor } from '../tensor.js';

/** Refuses a tensor whose dtype is not among `allowed` (default: f32, the computing type). */
export function checkDType(what: string, tensor: Tensor, allowed: readonly DType[] = ['f32']): void {
  if (!allowed.includes(tensor.dtype)) {
    throw new DTypeError(`${what}: expected ${allowed.join(' or ')}, got ${tensor.dtype}; use cast() first`);
  }
}

export function checkRank(what: string, tensor: Tensor, rank: number, layout: string): void {
  if (tensor.shape.length !== rank) {
    throw new ShapeError(`${what}: expected a tensor ${layout}, got shape ${showShape(tensor.shape)}`);
  }
}

/** Refuses a tensor that is not of exactly `shape`; an absent optional tensor passes. */
export function checkShapeIs(what: string, tensor: Tensor | undefined, shape: Shape): void {
  if (tensor && !sameShape(tensor.shape, shape)) {
    throw new ShapeError(`${what}: expected shape ${showShape(shape)}, got ${showShape(tensor.shape)}`);
  }
}

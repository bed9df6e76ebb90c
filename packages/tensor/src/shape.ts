import { ShapeError } from './errors.js';

/** Sizes of the dimensions of a row-major tensor, slowest first; `[]` is a scalar. */
export type Shape = readonly number[];

/** A size or step given once for both axes or as `[vertical, horizontal]`. */
export type Pair = number | readonly [number, number];

export function pair(value: Pair): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value;
}

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = step;
    step *= shape[i]!;
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** `[2, 3, 4]`, as messages show it. */
export function showShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

/** Refuses a shape with a negative or fractional size. */
export function checkShape(shape: Shape): void {
  if (!shape.every((d) => Number.isSafeInteger(d) && d >= 0)) {
    throw new ShapeError(`shape ${showShape(shape)} is not valid: every size must be a non-negative integer`);
  }
}

/** The axis counted from the front; negative axes count from the end, as in PyTorch. */
export function resolveAxis(axis: number, rank: number, what: string): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) {
    throw new ShapeError(`${what}: axis ${axis} is out of range for a tensor of rank ${rank}`);
  }
  return resolved;
}

/** Resolved, sorted axes without repeats; every axis where none is given. */
export function resolveAxes(axes: number | readonly number[] | undefined, rank: number, what: string): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === 'number' ? [axes] : axes).map((a) => resolveAxis(a, rank, what));
  if (new Set(list).size !== list.length) throw new ShapeError(`${what}: axes ${showShape(list)} repeat an axis`);
  return list.sort((a, b) => a - b);
}

/** The common shape by NumPy's broadcasting rule: sizes match from the end, or one of them is 1. */
export function broadcastShapes(a: Shape, b: Shape, what: string): number[] {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  for (let i = 0; i < rank; i++) {
    const da = a[a.length - rank + i] ?? 1;
    const db = b[b.length - rank + i] ?? 1;
    if (da !== db && da !== 1 && db !== 1) {
      throw new ShapeError(
        `${what}: shapes ${showShape(a)} and ${showShape(b)} do not broadcast (${da} against ${db})`,
      );
    }
    shape.push(da === 1 ? db : da);
  }
  return shape;
}

/** Strides that read `shape` as if it had the broadcast shape `to`: 0 along repeated axes. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = stridesOf(shape);
  const lead = to.length - shape.length;
  return to.map((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? 0 : own[i - lead]!));
}

/** A shape seen along one axis: `outer` runs of `length` elements that lie `inner` apart. */
export interface AxisView {
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
}

export function axisView(shape: Shape, axis: number): AxisView {
  return { outer: sizeOf(shape.slice(0, axis)), length: shape[axis]!, inner: sizeOf(shape.slice(axis + 1)) };
}

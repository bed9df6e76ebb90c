import type { Shape } from '../../shape.js';

/**
 * Calls `visit` for every index of `shape` in row-major order with the two positions that the strides give it.
 */
export function forEachIndex(
  shape: Shape,
  [stridesA, stridesB]: readonly [readonly number[], readonly number[]],
  visit: (a: number, b: number) => void,
  startA = 0,
  startB = 0,
): void {
  const walk = (axis: number, a: number, b: number): void => {
    if (axis === shape.length) return visit(a, b);
    for (let i = 0; i < shape[axis]!; i++) walk(axis + 1, a + i * stridesA[axis]!, b + i * stridesB[axis]!);
  };
  walk(0, startA, startB);
}

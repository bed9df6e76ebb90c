import type { ReduceFunction, ReduceParams } from '../../ops/reduce.js';
import type { AxisView } from '../../shape.js';
import type { ReferenceArray } from './backend.js';

const reductions: Readonly<Record<ReduceFunction, { readonly start: number; join(a: number, b: number): number }>> = {
  sum: { start: 0, join: (a, b) => a + b },
  mean: { start: 0, join: (a, b) => a + b },
  sumSquares: { start: 0, join: (a, b) => a + b * b },
  max: { start: -Infinity, join: Math.max },
  min: { start: Infinity, join: Math.min },
};

export function reduceReference(
  { x }: { readonly x: ReferenceArray },
  { y }: { readonly y: ReferenceArray },
  { fn, ...view }: ReduceParams,
): void {
  const { start, join } = reductions[fn];
  forEachLine(view, (line, at) => {
    let result = start;
    for (let i = 0; i < view.length; i++) result = join(result, x.data[line + i * view.inner]!);
    y.data[at] = fn === 'mean' ? result / view.length : result;
  });
}

/** A NaN is never the largest, unless it comes first. */
export function argmaxReference(
  { x }: { readonly x: ReferenceArray },
  { y }: { readonly y: ReferenceArray },
  view: AxisView,
): void {
  forEachLine(view, (line, at) => {
    let best = 0;
    for (let i = 1; i < view.length; i++) {
      if (x.data[line + i * view.inner]! > x.data[line + best * view.inner]!) best = i;
    }
    y.data[at] = best;
  });
}

export function softmaxReference(
  { x }: { readonly x: ReferenceArray },
  { y }: { readonly y: ReferenceArray },
  view: AxisView,
): void {
  const { length, inner } = view;
  forEachLine(view, (line) => {
    let largest = -Infinity;
    for (let i = 0; i < length; i++) largest = Math.max(largest, x.data[line + i * inner]!);
    let total = 0;
    for (let i = 0; i < length; i++) total += Math.exp(x.data[line + i * inner]! - largest);
    for (let i = 0; i < length; i++) y.data[line + i * inner] = Math.exp(x.data[line + i * inner]! - largest) / total;
  });
}

/** Visits every line along the axis: the position of its first element, and its index in `[outer, inner]`. */
function forEachLine({ outer, length, inner }: AxisView, visit: (first: number, at: number) => void): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) visit(o * length * inner + i, o * inner + i);
  }
}

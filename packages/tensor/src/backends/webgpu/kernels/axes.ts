/** Index arithmetic over joined axes, shared by the kernels that walk two strided tensors at once. */
import type { Shape } from '../../../shape.js';

/** An axis and how far apart its elements lie in each of two tensors. */
export interface Axis {
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

/** The axes fastest first, without those of size 1 and with neighbours joined where both tensors allow it; at least one. */
export function joinAxes(
  shape: Shape,
  stridesA: readonly number[],
  stridesB: readonly number[],
): readonly [Axis, ...Axis[]] {
  const axes: Axis[] = [];
  for (let i = shape.length - 1; i >= 0; i--) {
    const axis = { size: shape[i]!, a: stridesA[i]!, b: stridesB[i]! };
    const inner = axes.at(-1);
    if (axis.size === 1) continue;
    if (inner && axis.a === inner.a * inner.size && axis.b === inner.b * inner.size) {
      axes[axes.length - 1] = { ...inner, size: inner.size * axis.size };
    } else axes.push(axis);
  }
  const [first = { size: 1, a: 1, b: 1 }, ...rest] = axes;
  return [first, ...rest];
}

/** Names of the uniform words of axis `i`. */
const names = (i: number): readonly [string, string, string] => [`size${i}`, `a${i}`, `b${i}`];

/** The uniform words of `rank` axes: sizes, and strides that may be negative. */
export function axisFields(rank: number): Record<string, 'u32' | 'i32'> {
  const entries = Array.from({ length: rank }, (_, i) => {
    const [size, a, b] = names(i);
    return { [size]: 'u32', [a]: 'i32', [b]: 'i32' } as const;
  });
  return Object.assign({}, ...entries) as Record<string, 'u32' | 'i32'>;
}

export function axisValues(axes: readonly Axis[]): Record<string, number> {
  const entries = axes.map((axis, i) => {
    const [size, a, b] = names(i);
    return { [size]: axis.size, [a]: axis.a, [b]: axis.b };
  });
  return Object.assign({}, ...entries) as Record<string, number>;
}

/**
 * WGSL that adds to `atA` and `atB` (i32) where element `index` (u32) of the axes lies in each tensor; `index` is used up.
 */
export function locateWgsl(rank: number, index: string): string {
  return Array.from({ length: rank }, (_, i) => {
    const [size, a, b] = names(i);
    const last = i === rank - 1;
    const place = last ? `i32(${index})` : `i32(${index} % params.${size})`;
    const next = last ? '' : `\n    ${index} /= params.${size};`;
    return `  {
    let p = ${place};
    atA += p * params.${a};
    atB += p * params.${b};${next}
  }`;
  }).join('\n');
}

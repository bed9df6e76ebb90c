import { bytesPerElement, type DType } from '../../../dtype.js';
import { floatToHalf } from '../../../half.js';
import type { Slot } from '../../../kernel.js';
import type { CopyParams } from '../../../ops/copy.js';
import { sizeOf, stridesOf } from '../../../shape.js';
import {
  defineShader,
  read,
  write,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuStep,
} from '../program.js';
import {
  flatGrid,
  flatGroup,
  flatMain,
  floatBits,
  linearBuiltins,
  linearInvocation,
  storage,
  uniformBlock,
} from '../wgsl.js';
import { axisFields, axisValues, joinAxes, locateWgsl, type Axis } from './axes.js';

/** `offsetA` and `offsetB` are where the block begins in each tensor. */
const copyUniforms = (rank: number) =>
  uniformBlock({ count: 'u32', offsetA: 'i32', offsetB: 'i32', ...axisFields(rank) });

/** Finds `atA` and `atB` of element `index` of the block. */
const locate = (rank: number, index: string): string => `  var rest = ${index};
  var atA = params.offsetA;
  var atB = params.offsetB;
${locateWgsl(rank, 'rest')}`;

/** Moves words, or four words at a time; bits are moved, so that no NaN is changed. */
const copyWordsShader = defineShader(
  'copyWords',
  ({ rank, fours }: { readonly rank: number; readonly fours: boolean }) => {
    const type = fours ? 'array<vec4<u32>>' : 'array<u32>';
    return `${storage(['read', 'x', type], ['read_write', 'y', type])}
${copyUniforms(rank).wgsl}
${flatMain}
${locate(rank, 'i')}
  y[atB] = x[atA];
}`;
  },
);

interface PartsShape {
  readonly rank: number;
  /** Elements per word. */
  readonly perWord: 2 | 4;
}

/** Element `at` of packed words. */
const partWgsl = (perWord: number): string => `fn part(at: u32) -> u32 {
  return (x[at / ${perWord}u] >> (at % ${perWord}u * ${32 / perWord}u)) & ${perWord === 4 ? '0xffu' : '0xffffu'};
}`;

/** Gathers the elements of one word of the result, which is the block and nothing else. */
const gatherPartsShader = defineShader(
  'gatherParts',
  ({ rank, perWord }: PartsShape) => `${storage(['read', 'x', 'array<u32>'], ['read_write', 'y', 'array<u32>'])}
${copyUniforms(rank).wgsl}
${partWgsl(perWord)}
@compute @workgroup_size(${flatGroup})
fn main(${linearBuiltins}) {
  let word = ${linearInvocation(flatGroup)};
  if (word * ${perWord}u >= params.count) {
    return;
  }
  var bits = 0u;
  for (var k = 0u; k < ${perWord}u; k++) {
    let i = word * ${perWord}u + k;
    if (i < params.count) {
${locate(rank, 'i')}
      bits |= part(u32(atA)) << (k * ${32 / perWord}u);
    }
  }
  y[word] = bits;
}`,
);

/** Places single elements among others of the result: words are shared, so that their bits are set atomically. */
const scatterPartsShader = defineShader(
  'scatterParts',
  ({ rank, perWord }: PartsShape) => `${storage(['read', 'x', 'array<u32>'], ['read_write', 'y', 'array<atomic<u32>>'])}
${copyUniforms(rank).wgsl}
${partWgsl(perWord)}
${flatMain}
${locate(rank, 'i')}
  let word = u32(atB) / ${perWord}u;
  let shift = u32(atB) % ${perWord}u * ${32 / perWord}u;
  atomicAnd(&y[word], ~(${perWord === 4 ? '0xffu' : '0xffffu'} << shift));
  atomicOr(&y[word], part(u32(atA)) << shift);
}`,
);

export const copyWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, CopyParams> = ({ x }, { y }, params, machine) => {
  const count = sizeOf(params.shape);
  if (count === 0) return [];
  const axes = joinAxes(params.shape, params.fromStrides, params.toStrides);
  const offsets = [params.fromOffset, params.toOffset] as const;
  const bytes = bytesPerElement(y.dtype);
  if (bytes === 4) {
    const fours = byFours(axes, offsets);
    const shape = { rank: axes.length, fours: fours !== null };
    const [total, places, blocks] = fours ? [count / 4, offsets.map((o) => o / 4), fours] : [count, offsets, axes];
    const values = { count: total, offsetA: places[0]!, offsetB: places[1]!, ...axisValues(blocks) };
    return [step(copyWordsShader(shape), x, y, copyUniforms(axes.length).words(values), total, machine)];
  }
  const perWord = bytes === 2 ? 2 : 4;
  const shape = { rank: axes.length, perWord } as const;
  const values = { count, offsetA: offsets[0], offsetB: offsets[1], ...axisValues(axes) };
  const words = copyUniforms(axes.length).words(values);
  return fillsResult(params, y)
    ? [step(gatherPartsShader(shape), x, y, words, Math.ceil(count / perWord), machine)]
    : [step(scatterPartsShader(shape), x, y, words, count, machine)];
};

/** Copies a tensor as it lies in memory, four words at a time. */
export function contiguousCopy(x: WebGpuOperand, y: WebGpuOperand, machine: WebGpuMachine): WebGpuStep {
  const count = Math.ceil((sizeOf(y.shape) * bytesPerElement(y.dtype)) / 16);
  const values = { count, offsetA: 0, offsetB: 0, ...axisValues([{ size: count, a: 1, b: 1 }]) };
  return step(copyWordsShader({ rank: 1, fours: true }), x, y, copyUniforms(1).words(values), count, machine);
}

function step(
  shader: WebGpuStep['shader'],
  x: WebGpuOperand,
  y: WebGpuOperand,
  uniforms: readonly number[],
  invocations: number,
  machine: WebGpuMachine,
): WebGpuStep {
  const workgroups = flatGrid(invocations, machine);
  return { shader, bindings: [read(x), write(y)], uniforms, workgroups };
}

/** The axes in units of four elements, where runs of four lie side by side in both tensors. */
function byFours([inner, ...outer]: readonly [Axis, ...Axis[]], offsets: readonly number[]): readonly Axis[] | null {
  const whole = (n: number): boolean => n % 4 === 0;
  if (inner.a !== 1 || inner.b !== 1 || !whole(inner.size) || !offsets.every(whole)) return null;
  if (!outer.every(({ a, b }) => whole(a) && whole(b))) return null;
  return [{ ...inner, size: inner.size / 4 }, ...outer.map(({ size, a, b }) => ({ size, a: a / 4, b: b / 4 }))];
}

function fillsResult({ shape, toStrides, toOffset }: CopyParams, y: WebGpuOperand): boolean {
  const strides = stridesOf(shape);
  const dense = shape.every((size, i) => size === 1 || toStrides[i] === strides[i]);
  return dense && toOffset === 0 && sizeOf(shape) === sizeOf(y.shape);
}

const fillUniforms = uniformBlock({ count: 'u32', word: 'u32' });

const fillShader = defineShader(
  'fill',
  () => `${storage(['read_write', 'y', 'array<vec4<u32>>'])}
${fillUniforms.wgsl}
${flatMain}
  y[i] = vec4<u32>(params.word);
}`,
);

export const fillWebGpu: WebGpuKernel<object, { y: Slot }, { readonly value: number }> = (
  _inputs,
  { y },
  { value },
  machine,
) => {
  const count = Math.ceil((sizeOf(y.shape) * bytesPerElement(y.dtype)) / 16);
  if (count === 0) return [];
  return [
    {
      shader: fillShader({}),
      bindings: [write(y)],
      uniforms: fillUniforms.words({ count, word: wordOf(y.dtype, value) }),
      workgroups: flatGrid(count, machine),
    },
  ];
};

/** A word of elements that all are `value`, converted as `cast` does. */
function wordOf(dtype: DType, value: number): number {
  if (dtype === 'f32') return floatBits(value);
  if (dtype === 'f16') return floatToHalf(value) * 0x10001;
  const [least, most] = dtype === 'u8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  const whole = Number.isNaN(value) ? 0 : Math.min(Math.max(Math.trunc(value), least), most);
  return dtype === 'u8' ? whole * 0x1010101 : whole;
}

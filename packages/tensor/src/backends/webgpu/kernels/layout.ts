import { bytesPerElement, type DType } from '../../../dtype.js';
import { floatToHalf } from '../../../half.js';
import type { Slot } from '../../../kernel.js';
import type { CopyParams } from '../../../ops/copy.js';
import { sizeOf, stridesOf } from '../../../shape.js';
import {
  defineShader,
  gpuScratch,
  read,
  takingHalves,
  write,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuResource,
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
import { convertStorage } from './convert-storage.js';

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

/** Results are stored as what they are copied from. */
export const copyWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, CopyParams> = takingHalves(
  ['x', 'y'],
  ({ x }, { y }, params, machine) => {
    if (sizeOf(params.shape) === 0) return [];
    const stored = storageOf(y);
    if (storageOf(x) === stored) return [moveBlock(x, y, params, machine)];
    const size = sizeOf(x.shape);
    const converted = gpuScratch(size * bytesPerElement(stored));
    const to = stored === 'f16' ? 'f16' : 'f32';
    return [convertStorage(x, converted, size, to, machine), moveBlock(converted, y, params, machine)];
  },
  ({ x }) => x.storage === 'f16',
);

/** What the elements of a tensor are in memory. */
const storageOf = (operand: WebGpuOperand): DType => operand.storage ?? operand.dtype;

function moveBlock(x: WebGpuResource, y: WebGpuOperand, params: CopyParams, machine: WebGpuMachine): WebGpuStep {
  const count = sizeOf(params.shape);
  const all: Block = {
    ...{ count, offsets: [params.fromOffset, params.toOffset] },
    axes: joinAxes(params.shape, params.fromStrides, params.toStrides),
  };
  const rank = all.axes.length;
  const bytes = bytesPerElement(storageOf(y));
  const words = inUnits(4 / bytes, all);
  if (words) {
    const fours = inUnits(4, words);
    const moved = fours ?? words;
    return step(copyWordsShader({ rank, fours: fours !== null }), x, y, wordsOf(moved), moved.count, machine);
  }
  const shape = { rank, perWord: bytes === 2 ? 2 : 4 } as const;
  return fillsResult(params, y)
    ? step(gatherPartsShader(shape), x, y, wordsOf(all), Math.ceil(count / shape.perWord), machine)
    : step(scatterPartsShader(shape), x, y, wordsOf(all), count, machine);
}

/** What is copied, in elements or larger units. */
interface Block {
  readonly axes: readonly Axis[];
  /** Where it begins in each tensor. */
  readonly offsets: readonly [from: number, to: number];
  readonly count: number;
}

/** The uniform words of a copy. */
const wordsOf = ({ axes, offsets: [offsetA, offsetB], count }: Block): number[] =>
  copyUniforms(axes.length).words({ count, offsetA, offsetB, ...axisValues(axes) });

/** The block in units of several elements, where these lie side by side in both tensors. */
function inUnits(unit: number, { axes, offsets, count }: Block): Block | null {
  const [inner, ...outer] = axes as readonly [Axis, ...Axis[]];
  const whole = (n: number): boolean => n % unit === 0;
  if (unit === 1) return { axes, offsets, count };
  if (inner.a !== 1 || inner.b !== 1 || !whole(inner.size) || !offsets.every(whole)) return null;
  if (!outer.every(({ a, b }) => whole(a) && whole(b))) return null;
  const further = outer.map(({ size, a, b }) => ({ size, a: a / unit, b: b / unit }));
  return {
    axes: [{ ...inner, size: inner.size / unit }, ...further],
    offsets: [offsets[0] / unit, offsets[1] / unit],
    count: count / unit,
  };
}

/** Copies a tensor as it lies in memory, four words at a time. */
export function contiguousCopy(x: WebGpuOperand, y: WebGpuOperand, machine: WebGpuMachine): WebGpuStep {
  const count = Math.ceil((sizeOf(y.shape) * bytesPerElement(y.dtype)) / 16);
  const words = wordsOf({ axes: [{ size: count, a: 1, b: 1 }], offsets: [0, 0], count });
  return step(copyWordsShader({ rank: 1, fours: true }), x, y, words, count, machine);
}

function step(
  shader: WebGpuStep['shader'],
  x: WebGpuResource,
  y: WebGpuOperand,
  uniforms: readonly number[],
  invocations: number,
  machine: WebGpuMachine,
): WebGpuStep {
  const workgroups = flatGrid(invocations, machine);
  return { shader, bindings: [read(x), write(y)], uniforms, workgroups };
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
      uniforms: fillUniforms.words({ count, word: fillWord(y.dtype, value) }),
      workgroups: flatGrid(count, machine),
    },
  ];
};

/** A word of elements that all are `value`, converted as `cast` does. */
function fillWord(dtype: DType, value: number): number {
  if (dtype === 'f32') return floatBits(value);
  if (dtype === 'f16') return floatToHalf(value) * 0x10001;
  const [least, most] = dtype === 'u8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  const whole = Number.isNaN(value) ? 0 : Math.min(Math.max(Math.trunc(value), least), most);
  return dtype === 'u8' ? whole * 0x1010101 : whole;
}

import type { Slot } from '../../../kernel.js';
import type { AddScaledInputs, BinaryFunction, BinaryInputs, UnaryFunction } from '../../../ops/elementwise.js';
import { broadcastStrides, sizeOf } from '../../../shape.js';
import { encodingOf, floatBuffer, type FloatEncoding, type Lanes } from '../floats.wgsl.js';
import { defineShader, read, takingHalves, write, type WebGpuKernel } from '../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../wgsl.js';
import { axisFields, axisValues, joinAxes, locateWgsl, type Axis } from './axes.js';
import { channelwise } from './channelwise.js';
import { binaryWgsl, unaryWgsl } from './functions.wgsl.js';

const counted = uniformBlock({ count: 'u32' });

interface UnaryShape {
  readonly fn: UnaryFunction;
  readonly from: FloatEncoding;
  readonly to: FloatEncoding;
}

/** Buffers are padded, so that the last four elements are worked on together whether they are all there or not. */
const unaryShader = defineShader('unary', ({ fn, from, to }: UnaryShape) => {
  const x = floatBuffer('read', 'x', 'vec4<f32>', from);
  const y = floatBuffer('read_write', 'y', 'vec4<f32>', to);
  return `${storage(x.declaration, y.declaration)}
${counted.wgsl}
${unaryWgsl(fn, 'vec4<f32>')}
${flatMain}
  ${y.store('i', `apply(${x.load('i')})`)}
}`;
});

export const unaryWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, { readonly fn: UnaryFunction }> = takingHalves(
  ['x', 'y'],
  ({ x }, { y }, { fn }, machine) => {
    const count = Math.ceil(sizeOf(y.shape) / 4);
    if (count === 0) return [];
    return [
      {
        shader: unaryShader({ fn, from: encodingOf(x, machine), to: encodingOf(y, machine) }),
        bindings: [read(x), write(y)],
        uniforms: counted.words({ count }),
        workgroups: flatGrid(count, machine),
      },
    ];
  },
);

interface BinaryShape {
  readonly fn: BinaryFunction;
  readonly rank: number;
  readonly type: Lanes;
  /** Whether one element of the operand serves for four of the result. */
  readonly repeatA: boolean;
  readonly repeatB: boolean;
  readonly encodings: readonly [a: FloatEncoding, b: FloatEncoding, y: FloatEncoding];
}

const binaryUniforms = (rank: number) => uniformBlock({ count: 'u32', ...axisFields(rank) });

const binaryShader = defineShader('binary', ({ fn, rank, type, repeatA, repeatB, encodings }: BinaryShape) => {
  const a = floatBuffer('read', 'a', repeatA ? 'f32' : type, encodings[0]);
  const b = floatBuffer('read', 'b', repeatB ? 'f32' : type, encodings[1]);
  const y = floatBuffer('read_write', 'y', type, encodings[2]);
  return `${storage(a.declaration, b.declaration, y.declaration)}
${binaryUniforms(rank).wgsl}
${binaryWgsl(fn, type)}
${flatMain}
  var rest = i;
  var atA = 0;
  var atB = 0;
${locateWgsl(rank, 'rest')}
  ${y.store('i', `apply(${type}(${a.load('u32(atA)')}), ${type}(${b.load('u32(atB)')}))`)}
}`;
});

export const binaryWebGpu: WebGpuKernel<BinaryInputs, { y: Slot }, { readonly fn: BinaryFunction }> = takingHalves(
  ['a', 'b', 'y'],
  ({ a, b }, { y }, { fn }, machine) => {
    const size = sizeOf(y.shape);
    if (size === 0) return [];
    const axes = joinAxes(y.shape, broadcastStrides(a.shape, y.shape), broadcastStrides(b.shape, y.shape));
    // Always where the rows of y are whole vectors.
    const fours = byFours(axes);
    const shape = {
      fn,
      rank: axes.length,
      type: fours ? 'vec4<f32>' : 'f32',
      repeatA: fours !== null && axes[0].a === 0,
      repeatB: fours !== null && axes[0].b === 0,
      encodings: [encodingOf(a, machine), encodingOf(b, machine), encodingOf(y, machine)],
    } as const;
    const count = fours ? Math.ceil(size / 4) : size;
    return [
      {
        shader: binaryShader(shape),
        bindings: [read(a), read(b), write(y)],
        uniforms: binaryUniforms(axes.length).words({ count, ...axisValues(fours ?? axes) }),
        workgroups: flatGrid(count, machine),
      },
    ];
  },
);

/** The axes in units of four elements, where these lie side by side or are one and the same in each operand. */
function byFours(axes: readonly [Axis, ...Axis[]]): readonly Axis[] | null {
  const [inner, ...outer] = axes;
  if (inner.a > 1 || inner.b > 1 || (outer.length > 0 && inner.size % 4 !== 0)) return null;
  if (inner.a === 1 && outer.some(({ a }) => a % 4 !== 0)) return null;
  if (inner.b === 1 && outer.some(({ b }) => b % 4 !== 0)) return null;
  const [unitA, unitB] = [inner.a === 1 ? 4 : 1, inner.b === 1 ? 4 : 1];
  const joined = outer.map(({ size, a, b }) => ({ size, a: a / unitA, b: b / unitB }));
  return [{ ...inner, size: Math.ceil(inner.size / 4) }, ...joined];
}

export const addScaledWebGpu: WebGpuKernel<AddScaledInputs, { z: Slot }, object> = takingHalves(
  ['x', 'y', 'z'],
  ({ x, y, scale }, { z }, _params, machine) =>
    channelwise(
      { rows: { x, y }, channels: { scale }, result: z, expression: 'fma(scaleHere, yHere, xHere)' },
      machine,
    ),
);

import type { Slot } from '../../../kernel.js';
import type { AxisView } from '../../../shape.js';
import { encodingOf, floatBuffer, type FloatEncoding } from '../floats.wgsl.js';
import {
  defineShader,
  linearGrid,
  read,
  takingHalves,
  write,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuShader,
  type WebGpuStep,
} from '../program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../wgsl.js';
import { joinLanes, laneGroup, laneIndices, lanesFor, rowsPerGroup } from './lanes.wgsl.js';

/** x is `[outer, length, inner]`; `rows` counts its lines. */
const uniforms = uniformBlock({ rows: 'u32', length: 'u32', inner: 'u32' });

const columnHead = `@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
  let i = ${linearInvocation(laneGroup)};
  if (i >= params.rows) {
    return;
  }
  let first = i / params.inner * params.length * params.inner + i % params.inner;`;

interface ColumnsShape {
  readonly from: FloatEncoding;
}

interface RowsShape extends ColumnsShape {
  readonly lanes: number;
}

/**
 * `fn keyOf`: unsigned numbers in the order of the floats. A NaN is below all of them, except in the first place, where it
 * is above: nothing compares as larger than it.
 */
export const argmaxKeyWgsl = `fn keyOf(value: f32, index: u32) -> u32 {
  let bits = bitcast<u32>(select(value, 0.0, value == 0.0));
  let key = select(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
  let nan = (bits & 0x7fffffffu) > 0x7f800000u;
  return select(key, select(0u, 0xffffffffu, index == 0u), nan);
}`;

/** Candidates are (key, index); the lower index wins ties. */
const argmaxRowsShader = defineShader('argmaxRows', ({ lanes, from }: RowsShape) => {
  const x = floatBuffer('read', 'x', 'f32', from);
  return `${storage(x.declaration, ['read_write', 'y', 'array<i32>'])}
${uniforms.wgsl}
${argmaxKeyWgsl}
${joinLanes('best', 'vec2<u32>', lanes, 'select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y))')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  var own = vec2<u32>(0u, 0xffffffffu);
  for (var k = lane; k < params.length; k += ${lanes}u) {
    let key = keyOf(${x.load('row * params.length + k')}, k);
    if (key > own.x || own.y == 0xffffffffu) {
      own = vec2<u32>(key, k);
    }
  }
  own = best(own, local);
  if (lane == 0u && place < params.rows) {
    y[row] = i32(own.y);
  }
}`;
});

const argmaxColumnsShader = defineShader('argmaxColumns', ({ from }: ColumnsShape) => {
  const x = floatBuffer('read', 'x', 'f32', from);
  return `${storage(x.declaration, ['read_write', 'y', 'array<i32>'])}
${uniforms.wgsl}
${argmaxKeyWgsl}
${columnHead}
  var best = keyOf(${x.load('first')}, 0u);
  var index = 0;
  for (var k = 1u; k < params.length; k++) {
    let key = keyOf(${x.load('first + k * params.inner')}, k);
    if (key > best) {
      best = key;
      index = i32(k);
    }
  }
  y[i] = index;
}`;
});

export const argmaxWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, AxisView> = takingHalves(
  ['x'],
  ({ x }, { y }, view, machine) => lines(x, y, view, argmaxRowsShader, argmaxColumnsShader, machine),
);

const softmaxRowsShader = defineShader('softmaxRows', ({ lanes, from }: RowsShape) => {
  const x = floatBuffer('read', 'x', 'f32', from);
  return `${storage(x.declaration, ['read_write', 'y', 'array<f32>'])}
${uniforms.wgsl}
${joinLanes('largest', 'f32', lanes, 'max(a, b)')}
${joinLanes('sum', 'f32', lanes, 'a + b')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  let first = row * params.length;
  var top = ${x.load('first')};
  for (var k = lane; k < params.length; k += ${lanes}u) {
    top = max(top, ${x.load('first + k')});
  }
  top = largest(top, local);
  var total = 0.0;
  for (var k = lane; k < params.length; k += ${lanes}u) {
    total += exp(${x.load('first + k')} - top);
  }
  total = sum(total, local);
  if (place >= params.rows) {
    return;
  }
  for (var k = lane; k < params.length; k += ${lanes}u) {
    y[first + k] = exp(${x.load('first + k')} - top) / total;
  }
}`;
});

const softmaxColumnsShader = defineShader('softmaxColumns', ({ from }: ColumnsShape) => {
  const x = floatBuffer('read', 'x', 'f32', from);
  return `${storage(x.declaration, ['read_write', 'y', 'array<f32>'])}
${uniforms.wgsl}
${columnHead}
  var top = ${x.load('first')};
  for (var k = 1u; k < params.length; k++) {
    top = max(top, ${x.load('first + k * params.inner')});
  }
  var total = 0.0;
  for (var k = 0u; k < params.length; k++) {
    total += exp(${x.load('first + k * params.inner')} - top);
  }
  for (var k = 0u; k < params.length; k++) {
    y[first + k * params.inner] = exp(${x.load('first + k * params.inner')} - top) / total;
  }
}`;
});

/** Probabilities, which are often averaged, stay f32. */
export const softmaxWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, AxisView> = takingHalves(
  ['x'],
  ({ x }, { y }, view, machine) => lines(x, y, view, softmaxRowsShader, softmaxColumnsShader, machine),
);

/** Lines along the last axis with a few invocations side by side, along another axis with one each. */
function lines(
  x: WebGpuOperand,
  y: WebGpuOperand,
  { outer, length, inner }: AxisView,
  rowsShader: (params: RowsShape) => WebGpuShader,
  columnsShader: (params: ColumnsShape) => WebGpuShader,
  machine: WebGpuMachine,
): readonly WebGpuStep[] {
  const rows = outer * inner;
  if (rows === 0) return [];
  const lanes = inner === 1 ? lanesFor(length) : 1;
  const step = {
    bindings: [read(x), write(y)],
    uniforms: uniforms.words({ rows, length, inner }),
    workgroups: linearGrid(Math.ceil(rows / rowsPerGroup(lanes)), machine),
  };
  const from = encodingOf(x, machine);
  return [{ ...step, shader: inner === 1 ? rowsShader({ lanes, from }) : columnsShader({ from }) }];
}

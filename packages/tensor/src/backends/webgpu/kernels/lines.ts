import type { Slot } from '../../../kernel.js';
import type { AxisView } from '../../../shape.js';
import {
  defineShader,
  linearGrid,
  read,
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

const floatsToFloats = storage(['read', 'x', 'array<f32>'], ['read_write', 'y', 'array<f32>']);
const floatsToIndices = storage(['read', 'x', 'array<f32>'], ['read_write', 'y', 'array<i32>']);

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
const argmaxRowsShader = defineShader(
  'argmaxRows',
  ({ lanes }: { readonly lanes: number }) => `${floatsToIndices}
${uniforms.wgsl}
${argmaxKeyWgsl}
${joinLanes('best', 'vec2<u32>', lanes, 'select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y))')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  var own = vec2<u32>(0u, 0xffffffffu);
  for (var k = lane; k < params.length; k += ${lanes}u) {
    let key = keyOf(x[row * params.length + k], k);
    if (key > own.x || own.y == 0xffffffffu) {
      own = vec2<u32>(key, k);
    }
  }
  own = best(own, local);
  if (lane == 0u && place < params.rows) {
    y[row] = i32(own.y);
  }
}`,
);

const argmaxColumnsShader = defineShader(
  'argmaxColumns',
  () => `${floatsToIndices}
${uniforms.wgsl}
${argmaxKeyWgsl}
${columnHead}
  var best = keyOf(x[first], 0u);
  var index = 0;
  for (var k = 1u; k < params.length; k++) {
    let key = keyOf(x[first + k * params.inner], k);
    if (key > best) {
      best = key;
      index = i32(k);
    }
  }
  y[i] = index;
}`,
);

export const argmaxWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, AxisView> = ({ x }, { y }, view, machine) =>
  lines(x, y, view, argmaxRowsShader, argmaxColumnsShader, machine);

const softmaxRowsShader = defineShader(
  'softmaxRows',
  ({ lanes }: { readonly lanes: number }) => `${floatsToFloats}
${uniforms.wgsl}
${joinLanes('largest', 'f32', lanes, 'max(a, b)')}
${joinLanes('sum', 'f32', lanes, 'a + b')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  let first = row * params.length;
  var top = x[first];
  for (var k = lane; k < params.length; k += ${lanes}u) {
    top = max(top, x[first + k]);
  }
  top = largest(top, local);
  var total = 0.0;
  for (var k = lane; k < params.length; k += ${lanes}u) {
    total += exp(x[first + k] - top);
  }
  total = sum(total, local);
  if (place >= params.rows) {
    return;
  }
  for (var k = lane; k < params.length; k += ${lanes}u) {
    y[first + k] = exp(x[first + k] - top) / total;
  }
}`,
);

const softmaxColumnsShader = defineShader(
  'softmaxColumns',
  () => `${floatsToFloats}
${uniforms.wgsl}
${columnHead}
  var top = x[first];
  for (var k = 1u; k < params.length; k++) {
    top = max(top, x[first + k * params.inner]);
  }
  var total = 0.0;
  for (var k = 0u; k < params.length; k++) {
    total += exp(x[first + k * params.inner] - top);
  }
  for (var k = 0u; k < params.length; k++) {
    y[first + k * params.inner] = exp(x[first + k * params.inner] - top) / total;
  }
}`,
);

export const softmaxWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, AxisView> = ({ x }, { y }, view, machine) =>
  lines(x, y, view, softmaxRowsShader, softmaxColumnsShader, machine);

/** Lines along the last axis with a few invocations side by side, along another axis with one each. */
function lines(
  x: WebGpuOperand,
  y: WebGpuOperand,
  { outer, length, inner }: AxisView,
  rowsShader: (params: { readonly lanes: number }) => WebGpuShader,
  columnsShader: (params: object) => WebGpuShader,
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
  return [{ ...step, shader: inner === 1 ? rowsShader({ lanes }) : columnsShader({}) }];
}

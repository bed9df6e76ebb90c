import type { Slot } from '../../../kernel.js';
import type { ReduceFunction, ReduceParams } from '../../../ops/reduce.js';
import {
  defineShader,
  gpuScratch,
  linearGrid,
  read,
  write,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuResource,
  type WebGpuStep,
} from '../program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../wgsl.js';
import { isNanWgsl } from './functions.wgsl.js';
import { joinLanes, laneGroup, laneIndices, lanesFor, rowsPerGroup } from './lanes.wgsl.js';

/** Invocations that keep a large GPU busy: a reduction with fewer results is done in two steps. */
const busy = 32768;
/** Elements below which a part is not worth a step of its own. */
const leastPart = 256;

type Join = 'sum' | 'sumSquares' | 'max' | 'min';

const sumWgsl = 'fn join(a: f32, b: f32) -> f32 {\n  return a + b;\n}';

/** `fn join`, and what an invocation without elements contributes, given the first element of its line. */
const joins: Readonly<Record<Join, { readonly wgsl: string; readonly idle: string }>> = {
  sum: { wgsl: sumWgsl, idle: '0.0' },
  sumSquares: { wgsl: sumWgsl, idle: '0.0' },
  max: { wgsl: extreme('max'), idle: 'x[first]' },
  min: { wgsl: extreme('min'), idle: 'x[first]' },
};

function extreme(fn: string): string {
  return `${isNanWgsl('f32')}
fn join(a: f32, b: f32) -> f32 {
  return select(select(${fn}(a, b), b, isNan(b)), a, isNan(a));
}`;
}

/** Declares `partial`, joined in runs: rounding errors of a sum grow with the longest chain of additions. */
const accumulate = (
  join: Join,
  start: string,
  step: string,
  element: string,
): string => `  var partial = ${joins[join].idle};
  for (var k = ${start}; k < count;) {
    var run = ${joins[join].idle};
    for (var j = 0u; j < 16u && k < count; j++) {
      run = join(run, ${join === 'sumSquares' ? `${element} * ${element}` : element});
      k += ${step};
    }
    partial = join(partial, run);
  }`;

/** x is `[outer, length, inner]`; each part of a line of it gives one element of `[outer, parts, inner]`. */
const uniforms = uniformBlock({
  rows: 'u32',
  length: 'u32',
  inner: 'u32',
  parts: 'u32',
  part: 'u32',
  divisor: 'f32',
});

/** Lines along the last axis: a few invocations for each part, side by side. */
const reduceRowsShader = defineShader(
  'reduceRows',
  ({ join, lanes }: { readonly join: Join; readonly lanes: number }) => `${storage(
    ['read', 'x', 'array<f32>'],
    ['read_write', 'y', 'array<f32>'],
  )}
${uniforms.wgsl}
${joins[join].wgsl}
${joinLanes('joined', 'f32', lanes, 'join(a, b)')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  let begin = row % params.parts * params.part;
  let first = row / params.parts * params.length + begin;
  let count = min(params.part, params.length - begin);
${accumulate(join, 'lane', `${lanes}u`, 'x[first + k]')}
  let result = joined(partial, local);
  if (lane == 0u && place < params.rows) {
    y[row] = result / params.divisor;
  }
}`,
);

/** Lines along another axis: one invocation for each part; neighbours read neighbouring elements. */
const reduceColumnsShader = defineShader(
  'reduceColumns',
  ({ join }: { readonly join: Join }) => `${storage(['read', 'x', 'array<f32>'], ['read_write', 'y', 'array<f32>'])}
${uniforms.wgsl}
${joins[join].wgsl}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
  let i = ${linearInvocation(laneGroup)};
  if (i >= params.rows) {
    return;
  }
  let line = i / params.inner;
  let begin = line % params.parts * params.part;
  let first = (line / params.parts * params.length + begin) * params.inner + i % params.inner;
  let count = min(params.part, params.length - begin);
${accumulate(join, '0u', '1u', 'x[first + k * params.inner]')}
  y[i] = partial / params.divisor;
}`,
);

export interface Reduction {
  readonly join: Join;
  readonly outer: number;
  readonly length: number;
  readonly inner: number;
  readonly divisor: number;
}

export const reduceWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, ReduceParams> = (
  { x },
  { y },
  { fn, outer, length, inner },
  machine,
) => {
  if (outer * inner === 0) return [];
  return reduce(x, y, { join: joinOf(fn), outer, length, inner, divisor: fn === 'mean' ? length : 1 }, machine);
};

const joinOf = (fn: ReduceFunction): Join => (fn === 'mean' ? 'sum' : fn);

/** The steps of a reduction of `[outer, length, inner]` along the middle axis. */
export function reduce(
  x: WebGpuResource,
  y: WebGpuResource,
  reduction: Reduction,
  machine: WebGpuMachine,
): readonly WebGpuStep[] {
  const { join, outer, length, inner } = reduction;
  const wanted = Math.floor(busy / (outer * inner));
  const part = Math.max(leastPart, Math.ceil(length / Math.max(1, wanted)));
  const parts = Math.ceil(length / part);
  if (parts <= 1) return [reduceParts(x, y, reduction, 1, Math.max(1, length), machine)];
  const partial = gpuScratch(outer * parts * inner * 4);
  return [
    reduceParts(x, partial, { ...reduction, divisor: 1 }, parts, part, machine),
    ...reduce(partial, y, { ...reduction, join: join === 'sumSquares' ? 'sum' : join, length: parts }, machine),
  ];
}

function reduceParts(
  x: WebGpuResource,
  y: WebGpuResource,
  { join, outer, length, inner, divisor }: Reduction,
  parts: number,
  part: number,
  machine: WebGpuMachine,
): WebGpuStep {
  const rows = outer * parts * inner;
  const words = uniforms.words({ rows, length, inner, parts, part, divisor });
  const bindings = [read(x), write(y)];
  if (inner > 1) {
    const workgroups = linearGrid(Math.ceil(rows / laneGroup), machine);
    return { shader: reduceColumnsShader({ join }), bindings, uniforms: words, workgroups };
  }
  const lanes = lanesFor(part);
  const workgroups = linearGrid(Math.ceil(rows / rowsPerGroup(lanes)), machine);
  return { shader: reduceRowsShader({ join, lanes }), bindings, uniforms: words, workgroups };
}

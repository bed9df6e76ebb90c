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
import type { Lanes } from '../floats.wgsl.js';
import { linearBuiltins, storage, uniformBlock } from '../wgsl.js';
import { isNanWgsl } from './functions.wgsl.js';
import { unitOf, vectorOf, type Unit } from './images.js';
import {
  columnIndices,
  columnParts,
  columnShape,
  joinLanes,
  joinRuns,
  laneGroup,
  laneIndices,
  lanesFor,
  rowsPerGroup,
  type ColumnShape,
} from './lanes.wgsl.js';

/** Invocations that keep a large GPU busy: a reduction of rows with fewer results is done in two steps. */
const busy = 32768;
/** Elements below which a part of a row is not worth a step of its own. */
const leastPart = 256;

type Join = 'sum' | 'sumSquares' | 'max' | 'min';

/** `fn join`, and what an invocation without elements contributes, given the first element of its line. */
function joinWgsl(join: Join, type: Lanes): { readonly wgsl: string; readonly idle: string } {
  if (join === 'sum' || join === 'sumSquares') {
    return { wgsl: `fn join(a: ${type}, b: ${type}) -> ${type} {\n  return a + b;\n}`, idle: `${type}(0.0)` };
  }
  const wgsl = `${isNanWgsl(type)}
fn join(a: ${type}, b: ${type}) -> ${type} {
  return select(select(${join}(a, b), b, isNan(b)), a, isNan(a));
}`;
  return { wgsl, idle: 'x[first]' };
}

/** Declares `partial`. */
const accumulate = (join: Join, idle: string, step: number, element: (k: string) => string): string =>
  joinRuns(
    ['partial'],
    {
      idle: () => idle,
      join: (a, b) => `join(${a}, ${b})`,
      element: (k) => (join === 'sumSquares' ? `${element(k)} * ${element(k)}` : element(k)),
    },
    'lane',
    step,
  );

/** x is `[outer, length, inner]`; each part of a line of it gives one element of `[outer, parts, inner]`. */
const rowUniforms = uniformBlock({ rows: 'u32', length: 'u32', parts: 'u32', part: 'u32', divisor: 'f32' });

/** Lines along the last axis: a few invocations for each part, side by side. */
const reduceRowsShader = defineShader(
  'reduceRows',
  ({ join, lanes }: { readonly join: Join; readonly lanes: number }) => {
    const { wgsl, idle } = joinWgsl(join, 'f32');
    return `${storage(['read', 'x', 'array<f32>'], ['read_write', 'y', 'array<f32>'])}
${rowUniforms.wgsl}
${wgsl}
${joinLanes('joined', 'f32', lanes, 'join(a, b)')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  let begin = row % params.parts * params.part;
  let first = row / params.parts * params.length + begin;
  let count = min(params.part, params.length - begin);
${accumulate(join, idle, lanes, (k) => `x[first + ${k}]`)}
  let result = joined(partial, local);
  if (lane == 0u && place < params.rows) {
    y[row] = result / params.divisor;
  }
}`;
  },
);

/** `width` counts the vectors of the inner axis. */
const columnUniforms = uniformBlock({
  ...{ lines: 'u32', length: 'u32', width: 'u32', parts: 'u32', part: 'u32', tiles: 'u32', divisor: 'f32' },
});

/** Lines along another axis: neighbours read neighbouring elements, and a few invocations share each part. */
const reduceColumnsShader = defineShader(
  'reduceColumns',
  ({ join, unit, ...shape }: ColumnShape & { readonly join: Join; readonly unit: Unit }) => {
    const { lanes, columns } = shape;
    const type = vectorOf(unit);
    const { wgsl, idle } = joinWgsl(join, type);
    return `${storage(['read', 'x', `array<${type}>`], ['read_write', 'y', `array<${type}>`])}
${columnUniforms.wgsl}
${wgsl}
${joinLanes('joined', type, lanes, 'join(a, b)', columns)}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${columnIndices(shape)}
  let begin = line % params.parts * params.part;
  let first = (line / params.parts * params.length + begin) * params.width + c;
  let count = min(params.part, params.length - begin);
${accumulate(join, idle, lanes, (k) => `x[first + (${k}) * params.width]`)}
  let result = joined(partial, local);
  if (stored) {
    y[line * params.width + c] = result / params.divisor;
  }
}`;
  },
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
  return reduction.inner > 1 ? reduceColumns(x, y, reduction, machine) : reduceRows(x, y, reduction, machine);
}

/** Squares are taken once. */
const joinOfParts = (join: Join): Join => (join === 'sumSquares' ? 'sum' : join);

function reduceRows(
  x: WebGpuResource,
  y: WebGpuResource,
  { join, outer, length, divisor, inner }: Reduction,
  machine: WebGpuMachine,
): readonly WebGpuStep[] {
  const wanted = Math.floor(busy / outer);
  const part = Math.max(leastPart, Math.ceil(length / Math.max(1, wanted)));
  const parts = Math.max(1, Math.ceil(length / part));
  const lanes = lanesFor(Math.min(part, Math.max(1, length)));
  const rows = outer * parts;
  const step = (to: WebGpuResource, by: number): WebGpuStep => ({
    shader: reduceRowsShader({ join, lanes }),
    bindings: [read(x), write(to)],
    uniforms: rowUniforms.words({ rows, length, parts, part, divisor: by }),
    workgroups: linearGrid(Math.ceil(rows / rowsPerGroup(lanes)), machine),
  });
  if (parts === 1) return [step(y, divisor)];
  const partial = gpuScratch(rows * 4);
  const rest = { join: joinOfParts(join), outer, length: parts, inner, divisor };
  return [step(partial, 1), ...reduceRows(partial, y, rest, machine)];
}

function reduceColumns(
  x: WebGpuResource,
  y: WebGpuResource,
  { join, outer, length, inner, divisor }: Reduction,
  machine: WebGpuMachine,
): readonly WebGpuStep[] {
  const unit = unitOf(inner);
  const width = inner / unit;
  const shape = columnShape(width);
  const { part, parts, tiles } = columnParts(width, length, shape, outer);
  const step = (to: WebGpuResource, by: number): WebGpuStep => ({
    shader: reduceColumnsShader({ join, unit, ...shape }),
    bindings: [read(x), write(to)],
    uniforms: columnUniforms.words({ lines: outer * parts, length, width, parts, part, tiles, divisor: by }),
    workgroups: linearGrid(outer * parts * tiles, machine),
  });
  if (parts === 1) return [step(y, divisor)];
  const partial = gpuScratch(outer * parts * inner * 4);
  const rest = { join: joinOfParts(join), outer, length: parts, inner, divisor };
  return [step(partial, 1), ...reduceColumns(partial, y, rest, machine)];
}

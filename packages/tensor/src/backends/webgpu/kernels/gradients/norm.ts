import type { Slot } from '../../../../kernel.js';
import type {
  BatchNormGradientInputs,
  BatchNormGradientParams,
  BatchNormReduceInputs,
  LayerNormGradientInputs,
  NormParams,
  ParameterSlots,
  RowsInputs,
} from '../../../../ops/gradients/norm.js';
import { sizeOf } from '../../../../shape.js';
import { defineShader, gpuScratch, linearGrid, read, write, type WebGpuKernel } from '../../program.js';
import { flatGrid, flatMain, linearBuiltins, storage, uniformBlock } from '../../wgsl.js';
import { unitOf, vectorOf, type Unit } from '../images.js';
import { joinLanes, laneGroup, laneIndices, lanesFor, rowsPerGroup } from '../lanes.wgsl.js';
import { reduce } from '../reduce.js';
import { rowSums } from './row-sums.js';

interface RowShape {
  readonly unit: Unit;
  readonly lanes: number;
  /** Steps of each lane. */
  readonly steps: number;
}

/** How rows of channels are divided among lanes. */
function rowShape(channels: number): RowShape & { readonly width: number } {
  const unit = unitOf(channels);
  const width = channels / unit;
  const lanes = lanesFor(width);
  return { unit, lanes, steps: Math.ceil(width / lanes), width };
}

const rowUniforms = uniformBlock({ rows: 'u32', width: 'u32', channels: 'f32', eps: 'f32' });

const total = (unit: Unit, v: string): string => (unit === 1 ? v : `dot(${v}, ${vectorOf(unit)}(1.0))`);

/** Declares the distances of a row from its mean as `values`. What the rounding of the mean leaves of them is theirs, too. */
const distances = ({ unit, lanes, steps }: RowShape): string => {
  const type = vectorOf(unit);
  return `  var values: array<${type}, ${steps}>;
  var partial = ${type}(0.0);
  for (var k = 0u; k < ${steps}u; k++) {
    let c = k * ${lanes}u + lane;
    values[k] = select(${type}(0.0), x[row * params.width + c], c < params.width);
    partial += values[k];
  }
  let mean = sum(${total(unit, 'partial')}, local) / params.channels;
  for (var k = 0u; k < ${steps}u; k++) {
    values[k] = select(${type}(0.0), values[k] - mean, k * ${lanes}u + lane < params.width);
  }`;
};

const layerNormGradientShader = defineShader(
  'layerNormGradient',
  ({ weight, ...row }: RowShape & { readonly weight: boolean }) => {
    const { unit, lanes, steps } = row;
    const type = vectorOf(unit);
    const sums = ['rests', 'squares', 'plain', 'products'].map((name) => total(unit, name)).join(', ');
    return `${storage(
      ['read', 'x', `array<${type}>`],
      ['read', 'gy', `array<${type}>`],
      weight && ['read', 'weight', `array<${type}>`],
      ['read_write', 'gx', `array<${type}>`],
    )}
${rowUniforms.wgsl}
${joinLanes('sum', 'f32', lanes, 'a + b')}
${joinLanes('sums', 'vec4<f32>', lanes, 'a + b')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
${distances(row)}
  var gradients: array<${type}, ${steps}>;
  var rests = ${type}(0.0);
  var squares = ${type}(0.0);
  var plain = ${type}(0.0);
  var products = ${type}(0.0);
  for (var k = 0u; k < ${steps}u; k++) {
    let c = k * ${lanes}u + lane;
    if (c < params.width) {
      gradients[k] = gy[row * params.width + c]${weight ? ' * weight[c]' : ''};
    }
    rests += values[k];
    squares = fma(values[k], values[k], squares);
    plain += gradients[k];
    products = fma(values[k], gradients[k], products);
  }
  let means = sums(vec4<f32>(${sums}), local) / params.channels;
  let rate = 1.0 / sqrt(means.y - means.x * means.x + params.eps);
  let slope = rate * rate * (means.w - means.x * means.z);
  if (place >= params.rows) {
    return;
  }
  for (var k = 0u; k < ${steps}u; k++) {
    let c = k * ${lanes}u + lane;
    if (c < params.width) {
      gx[row * params.width + c] = rate * (gradients[k] - means.z - (values[k] - means.x) * slope);
    }
  }
}`;
  },
);

export const layerNormGradientWebGpu: WebGpuKernel<LayerNormGradientInputs, { gx: Slot }, NormParams> = (
  { x, gy, weight },
  { gx },
  { eps },
  machine,
) => {
  const size = sizeOf(x.shape);
  if (size === 0) return [];
  const channels = x.shape.at(-1)!;
  const rows = size / channels;
  const { width, ...row } = rowShape(channels);
  return [
    {
      shader: layerNormGradientShader({ ...row, weight: !!weight }),
      bindings: [read(x), read(gy), ...(weight ? [read(weight)] : []), write(gx)],
      uniforms: rowUniforms.words({ rows, width, channels, eps }),
      workgroups: linearGrid(Math.ceil(rows / rowsPerGroup(row.lanes)), machine),
    },
  ];
};

/** Per row the mean, rounded, what is left of the distances from it on average, and the reciprocal deviation. */
const rowMomentsShader = defineShader('rowMoments', (row: RowShape) => {
  const { unit, lanes, steps } = row;
  const type = vectorOf(unit);
  return `${storage(['read', 'x', `array<${type}>`], ['read_write', 'moments', 'array<vec4<f32>>'])}
${rowUniforms.wgsl}
${joinLanes('sum', 'f32', lanes, 'a + b')}
${joinLanes('sums', 'vec2<f32>', lanes, 'a + b')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
${distances(row)}
  var rests = ${type}(0.0);
  var squares = ${type}(0.0);
  for (var k = 0u; k < ${steps}u; k++) {
    rests += values[k];
    squares = fma(values[k], values[k], squares);
  }
  let means = sums(vec2<f32>(${total(unit, 'rests')}, ${total(unit, 'squares')}), local) / params.channels;
  if (lane == 0u && place < params.rows) {
    moments[row] = vec4<f32>(mean, means.x, 1.0 / sqrt(means.y - means.x * means.x + params.eps), 0.0);
  }
}`;
});

export const layerNormParameterGradientWebGpu: WebGpuKernel<RowsInputs, ParameterSlots, NormParams> = (
  { x, gy },
  { weight, bias },
  { eps },
  machine,
) => {
  const channels = x.shape.at(-1)!;
  if (channels === 0) return [];
  const rows = sizeOf(x.shape) / channels;
  const { width, ...row } = rowShape(channels);
  const moments = gpuScratch(Math.max(1, rows) * 16);
  const sums = rowSums(
    {
      rows,
      channels,
      inputs: { x, gy },
      rowInputs: { moments: { resource: moments, type: 'vec4<f32>' } },
      first: 'gy[at] * ((x[at] - moments[row].x - moments[row].y) * moments[row].z)',
      second: 'gy[at]',
      results: [weight, bias],
    },
    machine,
  );
  if (rows === 0) return sums;
  return [
    {
      shader: rowMomentsShader(row),
      bindings: [read(x), write(moments)],
      uniforms: rowUniforms.words({ rows, width, channels, eps }),
      workgroups: linearGrid(Math.ceil(rows / rowsPerGroup(row.lanes)), machine),
    },
    ...sums,
  ];
};

export const batchNormReduceWebGpu: WebGpuKernel<BatchNormReduceInputs, ParameterSlots, NormParams> = (
  { x, gy, mean, variance },
  { weight, bias },
  { eps },
  machine,
) => {
  const channels = x.shape.at(-1)!;
  if (channels === 0) return [];
  return rowSums(
    {
      rows: sizeOf(x.shape) / channels,
      channels,
      inputs: { x, gy },
      channelInputs: { mean, variance },
      first: 'gy[at] * (x[at] - mean[c]) / sqrt(variance[c] + params.eps)',
      second: 'gy[at]',
      results: [weight, bias],
      eps,
    },
    machine,
  );
};

const finishUniforms = uniformBlock({ count: 'u32', rows: 'f32' });

/** Corrects the rounded mean by what it left of the distances. */
const finishMomentsShader = defineShader(
  'finishMoments',
  () => `${storage(
    ['read', 'rests', 'array<f32>'],
    ['read', 'squares', 'array<f32>'],
    ['read_write', 'mean', 'array<f32>'],
    ['read_write', 'variance', 'array<f32>'],
  )}
${finishUniforms.wgsl}
${flatMain}
  let rest = rests[i] / params.rows;
  variance[i] = max(squares[i] / params.rows - rest * rest, 0.0);
  mean[i] += rest;
}`,
);

export const channelMomentsWebGpu: WebGpuKernel<{ x: Slot }, { mean: Slot; variance: Slot }, object> = (
  { x },
  { mean, variance },
  _params,
  machine,
) => {
  const channels = x.shape.at(-1)!;
  if (channels === 0) return [];
  const rows = sizeOf(x.shape) / channels;
  const divisor = Math.max(1, rows);
  const [rests, squares] = [gpuScratch(channels * 4), gpuScratch(channels * 4)];
  return [
    ...reduce(x, mean, { join: 'sum', outer: 1, length: rows, inner: channels, divisor }, machine),
    ...rowSums(
      {
        rows,
        channels,
        inputs: { x },
        channelInputs: { mean },
        first: 'x[at] - mean[c]',
        second: '(x[at] - mean[c]) * (x[at] - mean[c])',
        results: [rests, squares],
      },
      machine,
    ),
    {
      shader: finishMomentsShader({}),
      bindings: [read(rests), read(squares), write(mean), write(variance)],
      uniforms: finishUniforms.words({ count: channels, rows: divisor }),
      workgroups: flatGrid(channels, machine),
    },
  ];
};

const batchNormUniforms = uniformBlock({ count: 'u32', channels: 'u32', eps: 'f32', values: 'f32' });

const batchNormGradientShader = defineShader(
  'batchNormGradient',
  ({ unit, weight }: { readonly unit: Unit; readonly weight: boolean }) => {
    const elements = `array<${vectorOf(unit)}>`;
    const slots = ['x', 'gy', 'mean', 'variance', 'gradWeight', 'gradBias', ...(weight ? ['weight'] : [])];
    return `${storage(...slots.map((name) => ['read', name, elements] as const), ['read_write', 'gx', elements])}
${batchNormUniforms.wgsl}
${flatMain}
  let c = i % params.channels;
  let rate = 1.0 / sqrt(variance[c] + params.eps);
  let normal = (x[i] - mean[c]) * rate;
  gx[i] = ${weight ? 'weight[c] * ' : ''}rate * (gy[i] - gradBias[c] / params.values - normal * (gradWeight[c] / params.values));
}`;
  },
);

export const batchNormGradientWebGpu: WebGpuKernel<BatchNormGradientInputs, { gx: Slot }, BatchNormGradientParams> = (
  { x, gy, mean, variance, weight, gradWeight, gradBias },
  { gx },
  { eps, count: values },
  machine,
) => {
  const size = sizeOf(x.shape);
  if (size === 0) return [];
  const channels = x.shape.at(-1)!;
  const unit = unitOf(channels);
  const count = size / unit;
  const inputs = [x, gy, mean, variance, gradWeight, gradBias, ...(weight ? [weight] : [])];
  return [
    {
      shader: batchNormGradientShader({ unit, weight: !!weight }),
      bindings: [...inputs.map(read), write(gx)],
      uniforms: batchNormUniforms.words({ count, channels: channels / unit, eps, values }),
      workgroups: flatGrid(count, machine),
    },
  ];
};

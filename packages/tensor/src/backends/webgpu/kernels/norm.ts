import type { Slot } from '../../../kernel.js';
import type { ChannelAffineInputs, FoldBatchNormInputs, LayerNormInputs, LayerNormParams } from '../../../ops/norm.js';
import { sizeOf } from '../../../shape.js';
import { encodingOf, floatBuffer, type FloatEncoding } from '../floats.wgsl.js';
import { defineShader, linearGrid, read, takingHalves, write, type WebGpuKernel } from '../program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../wgsl.js';
import { channelwise } from './channelwise.js';
import { joinLanes, laneGroup, laneIndices, lanesFor, rowsPerGroup } from './lanes.wgsl.js';

interface LayerNormShape {
  /** Elements that a step takes: 4 where the number of channels allows it. */
  readonly unit: 1 | 4;
  readonly lanes: number;
  /** Steps of each lane; the row stays in registers between the passes. */
  readonly steps: number;
  readonly weight: boolean;
  readonly bias: boolean;
  readonly from: FloatEncoding;
  readonly to: FloatEncoding;
}

const layerNormUniforms = uniformBlock({ rows: 'u32', width: 'u32', channels: 'f32', eps: 'f32' });

/**
 * Two passes over registers: the mean, then the distances from it and their squares. What the rounding of the mean leaves
 * of the distances is taken off as a shift, so that rows far from 0 keep their accuracy.
 */
const layerNormShader = defineShader('layerNorm', (shape: LayerNormShape) => {
  const { unit, lanes, steps, weight, bias } = shape;
  const type = unit === 4 ? 'vec4<f32>' : 'f32';
  const x = floatBuffer('read', 'x', type, shape.from);
  const y = floatBuffer('read_write', 'y', type, shape.to);
  const scaled = `(values[k] - shift) * scale${weight ? ' * weight[c]' : ''}${bias ? ' + bias[c]' : ''}`;
  const total = (v: string): string => (unit === 4 ? `dot(${v}, vec4<f32>(1.0))` : v);
  return `${storage(
    x.declaration,
    weight && ['read', 'weight', `array<${type}>`],
    bias && ['read', 'bias', `array<${type}>`],
    y.declaration,
  )}
${layerNormUniforms.wgsl}
${joinLanes('sum', 'f32', lanes, 'a + b')}
${joinLanes('sums', 'vec2<f32>', lanes, 'a + b')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  var values: array<${type}, ${steps}>;
  var partial = ${type}(0.0);
  for (var k = 0u; k < ${steps}u; k++) {
    let c = k * ${lanes}u + lane;
    values[k] = select(${type}(0.0), ${x.load('row * params.width + c')}, c < params.width);
    partial += values[k];
  }
  let mean = sum(${total('partial')}, local) / params.channels;
  partial = ${type}(0.0);
  var squares = ${type}(0.0);
  for (var k = 0u; k < ${steps}u; k++) {
    values[k] = select(${type}(0.0), values[k] - mean, k * ${lanes}u + lane < params.width);
    partial += values[k];
    squares = fma(values[k], values[k], squares);
  }
  let moments = sums(vec2<f32>(${total('partial')}, ${total('squares')}), local) / params.channels;
  let shift = moments.x;
  let scale = 1.0 / sqrt(moments.y - shift * shift + params.eps);
  if (place >= params.rows) {
    return;
  }
  for (var k = 0u; k < ${steps}u; k++) {
    let c = k * ${lanes}u + lane;
    if (c < params.width) {
      ${y.store('row * params.width + c', scaled)}
    }
  }
}`;
});

export const layerNormWebGpu: WebGpuKernel<LayerNormInputs, { y: Slot }, LayerNormParams> = takingHalves(
  ['x', 'y'],
  ({ x, weight, bias }, { y }, { eps }, machine) => {
    const size = sizeOf(x.shape);
    if (size === 0) return [];
    const channels = x.shape.at(-1)!;
    const unit = channels % 4 === 0 ? 4 : 1;
    const width = channels / unit;
    const rows = size / channels;
    const lanes = lanesFor(width);
    const shape: LayerNormShape = {
      ...{ unit, lanes, steps: Math.ceil(width / lanes), weight: !!weight, bias: !!bias },
      ...{ from: encodingOf(x, machine), to: encodingOf(y, machine) },
    };
    return [
      {
        shader: layerNormShader(shape),
        bindings: [read(x), ...(weight ? [read(weight)] : []), ...(bias ? [read(bias)] : []), write(y)],
        uniforms: layerNormUniforms.words({ rows, width, channels, eps }),
        workgroups: linearGrid(Math.ceil(rows / rowsPerGroup(lanes)), machine),
      },
    ];
  },
);

const foldUniforms = uniformBlock({ channels: 'u32', eps: 'f32' });

const foldBatchNormShader = defineShader(
  'foldBatchNorm',
  ({ weight, bias }: { readonly weight: boolean; readonly bias: boolean }) => `${storage(
    ['read', 'mean', 'array<f32>'],
    ['read', 'variance', 'array<f32>'],
    weight && ['read', 'weight', 'array<f32>'],
    bias && ['read', 'bias', 'array<f32>'],
    ['read_write', 'scale', 'array<f32>'],
    ['read_write', 'shift', 'array<f32>'],
  )}
${foldUniforms.wgsl}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
  let c = ${linearInvocation(laneGroup)};
  if (c >= params.channels) {
    return;
  }
  let factor = ${weight ? 'weight[c]' : '1.0'} / sqrt(variance[c] + params.eps);
  scale[c] = factor;
  shift[c] = ${bias ? 'bias[c] - ' : '-'}mean[c] * factor;
}`,
);

export const foldBatchNormWebGpu: WebGpuKernel<
  FoldBatchNormInputs,
  { scale: Slot; shift: Slot },
  { readonly eps: number }
> = ({ mean, variance, weight, bias }, { scale, shift }, { eps }, machine) => {
  const channels = sizeOf(mean.shape);
  if (channels === 0) return [];
  const optional = [...(weight ? [read(weight)] : []), ...(bias ? [read(bias)] : [])];
  return [
    {
      shader: foldBatchNormShader({ weight: !!weight, bias: !!bias }),
      bindings: [read(mean), read(variance), ...optional, write(scale), write(shift)],
      uniforms: foldUniforms.words({ channels, eps }),
      workgroups: linearGrid(Math.ceil(channels / laneGroup), machine),
    },
  ];
};

export const channelAffineWebGpu: WebGpuKernel<ChannelAffineInputs, { y: Slot }, object> = takingHalves(
  ['x', 'y'],
  ({ x, scale, shift }, { y }, _params, machine) =>
    channelwise(
      { rows: { x }, channels: { scale, shift }, result: y, expression: 'fma(xHere, scaleHere, shiftHere)' },
      machine,
    ),
);

import type { Slot } from '../../../kernel.js';
import { encodingOf, floatBuffer, type FloatEncoding } from '../floats.wgsl.js';
import { defineShader, linearGrid, read, takingHalves, write, type WebGpuKernel } from '../program.js';
import { linearBuiltins, linearWorkgroup, storage, uniformBlock } from '../wgsl.js';
import { unitOf, vectorOf, type Image, type Unit } from './images.js';
import { lanesFor } from './lanes.wgsl.js';

const groupSize = 128;

const uniforms = uniformBlock({
  height: 'u32',
  width: 'u32',
  channels: 'u32',
  outHeight: 'u32',
  outWidth: 'u32',
  blocks: 'u32',
  results: 'u32',
});

/** Units of channels that lie side by side in a workgroup. */
const poolChannels = 16;

interface PoolShape {
  readonly unit: Unit;
  readonly lanes: number;
  readonly from: FloatEncoding;
  readonly to: FloatEncoding;
}

/** A block of channels of one output pixel is summed by `lanes` invocations per unit of channels, 8 at most. */
const poolShader = defineShader('adaptiveAvgPool2d', ({ unit, lanes, from, to }: PoolShape) => {
  const type = vectorOf(unit);
  const x = floatBuffer('read', 'x', type, from);
  const y = floatBuffer('read_write', 'y', type, to);
  const join = `  sums[local] = sum;
  workgroupBarrier();
  for (var reach = ${lanes / 2}u; reach > 0u; reach /= 2u) {
    if (lane < reach) {
      sums[local] += sums[local + reach * ${poolChannels}u];
    }
    workgroupBarrier();
  }
  sum = sums[local];
`;
  return `${storage(x.declaration, y.declaration)}
${uniforms.wgsl}
${lanes > 1 ? `var<workgroup> sums: array<${type}, ${groupSize}>;\n` : ''}@compute @workgroup_size(${groupSize})
fn main(${linearBuiltins}) {
  let lane = local / ${poolChannels}u % ${lanes}u;
  let result = ${linearWorkgroup} * ${groupSize / poolChannels / lanes}u + local / ${poolChannels * lanes}u;
  let place = min(result, params.results - 1u);
  let c = place % params.blocks * ${poolChannels}u + local % ${poolChannels}u;
  let pixel = place / params.blocks;
  let ox = pixel % params.outWidth;
  let line = pixel / params.outWidth;
  let oy = line % params.outHeight;
  let image = line / params.outHeight * params.height;
  let top = oy * params.height / params.outHeight;
  let bottom = ((oy + 1u) * params.height + params.outHeight - 1u) / params.outHeight;
  let left = ox * params.width / params.outWidth;
  let right = ((ox + 1u) * params.width + params.outWidth - 1u) / params.outWidth;
  let columns = right - left;
  let count = (bottom - top) * columns;
  let stored = result < params.results && c < params.channels;
  var sum = ${type}(0.0);
  if (stored) {
    for (var k = lane; k < count; k += ${lanes}u) {
      let at = (image + top + k / columns) * params.width + left + k % columns;
      sum += ${x.load('at * params.channels + c')};
    }
  }
${lanes > 1 ? join : ''}  if (stored && lane == 0u) {
    ${y.store('pixel * params.channels + c', 'sum / f32(count)')}
  }
}`;
});

export const adaptiveAvgPool2dWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, object> = takingHalves(
  ['x', 'y'],
  ({ x }, { y }, _params, machine) => {
    const [, height, width, c] = x.shape as Image;
    const [n, outHeight, outWidth] = y.shape as Image;
    const unit = unitOf(c);
    const channels = c / unit;
    const blocks = Math.ceil(channels / poolChannels);
    const results = n * outHeight * outWidth * blocks;
    const lanes = Math.min(8, lanesFor(Math.ceil(height / outHeight) * Math.ceil(width / outWidth)));
    return [
      {
        shader: poolShader({ unit, lanes, from: encodingOf(x, machine), to: encodingOf(y, machine) }),
        bindings: [read(x), write(y)],
        uniforms: uniforms.words({ height, width, channels, outHeight, outWidth, blocks, results }),
        workgroups: linearGrid(Math.ceil(results / (groupSize / poolChannels / lanes)), machine),
      },
    ];
  },
);

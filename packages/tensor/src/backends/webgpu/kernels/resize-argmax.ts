import type { Slot } from '../../../kernel.js';
import type { ResizeArgmaxParams } from '../../../ops/spatial.js';
import { sizeOf } from '../../../shape.js';
import { encodingOf, floatBuffer, type FloatEncoding } from '../floats.wgsl.js';
import { defineShader, linearGrid, read, takingHalves, write, type WebGpuKernel } from '../program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../wgsl.js';
import { unitOf, vectorOf, type Image, type Unit } from './images.js';
import { argmaxKeyWgsl } from './lines.js';
import { checkSides, sampleWgsl } from './resize.js';

const groupSize = 128;

const uniforms = uniformBlock({
  count: 'u32',
  height: 'u32',
  width: 'u32',
  /** Channels in the units in which they are read. */
  steps: 'u32',
  betweenHeight: 'u32',
  betweenWidth: 'u32',
  outHeight: 'u32',
  outWidth: 'u32',
});

interface ResizeArgmaxShape {
  readonly unit: Unit;
  readonly from: FloatEncoding;
  /** Whether labels are stored as bytes, four to a word. */
  readonly bytes: boolean;
}

/**
 * One invocation per pixel. Two bilinear resizes in a row are one weighted sum along each axis: of up to four rows, most
 * often two or three, since those between the resizes overlap.
 */
const resizeArgmaxShader = defineShader('resizeArgmax', ({ unit, from, bytes }: ResizeArgmaxShape) => {
  const type = vectorOf(unit);
  const x = floatBuffer('read', 'x', type, from);
  const store = bytes
    ? `labels[local] = label;
  workgroupBarrier();
  if (local % 4u == 0u && i < params.count) {
    y[i / 4u] = labels[local] | (labels[local + 1u] << 8u) | (labels[local + 2u] << 16u) | (labels[local + 3u] << 24u);
  }`
    : `if (i < params.count) {
    y[i] = label;
  }`;
  const consider = (value: string, index: string): string => `      {
        let key = keyOf(${value}, ${index});
        if (key > best) {
          best = key;
          label = ${index};
        }
      }`;
  const candidates =
    unit === 1
      ? consider('logit', 'step')
      : ['x', 'y', 'z', 'w']
          .slice(0, unit)
          .map((part, k) => consider(`logit.${part}`, `step * ${unit}u + ${k}u`))
          .join('\n');
  return `${storage(x.declaration, ['read_write', 'y', 'array<u32>'])}
${uniforms.wgsl}
${sampleWgsl}
${argmaxKeyWgsl}
struct Taps {
  count: u32,
  places: array<u32, 4>,
  weights: array<f32, 4>,
}
fn addTap(taps: ptr<function, Taps>, place: u32, weight: f32) {
  if (weight == 0.0) {
    return;
  }
  let last = (*taps).count;
  if (last > 0u && (*taps).places[last - 1u] == place) {
    (*taps).weights[last - 1u] += weight;
    return;
  }
  (*taps).places[last] = place;
  (*taps).weights[last] = weight;
  (*taps).count = last + 1u;
}
fn tapsOf(i: u32, input: u32, between: u32, output: u32) -> Taps {
  var taps: Taps;
  let outer = sample(i, between, output);
  let first = sample(outer.low, input, between);
  let second = sample(outer.high, input, between);
  addTap(&taps, first.low, (1.0 - first.weight) * (1.0 - outer.weight));
  addTap(&taps, first.high, first.weight * (1.0 - outer.weight));
  addTap(&taps, second.low, (1.0 - second.weight) * outer.weight);
  addTap(&taps, second.high, second.weight * outer.weight);
  return taps;
}
${bytes ? `var<workgroup> labels: array<u32, ${groupSize}>;\n` : ''}@compute @workgroup_size(${groupSize})
fn main(${linearBuiltins}) {
  let i = ${linearInvocation(groupSize)};
  var label = 0u;
  if (i < params.count) {
    let line = i / params.outWidth;
    var rows = tapsOf(line % params.outHeight, params.height, params.betweenHeight, params.outHeight);
    var columns = tapsOf(i % params.outWidth, params.width, params.betweenWidth, params.outWidth);
    let image = line / params.outHeight * params.height;
    var best = 0u;
    for (var step = 0u; step < params.steps; step++) {
      var logit = ${type}(0.0);
      for (var r = 0u; r < rows.count; r++) {
        let row = (image + rows.places[r]) * params.width;
        var sum = ${type}(0.0);
        for (var k = 0u; k < columns.count; k++) {
          sum += columns.weights[k] * ${x.load('(row + columns.places[k]) * params.steps + step')};
        }
        logit += rows.weights[r] * sum;
      }
${candidates}
    }
  }
  ${store}
}`;
});

export const resizeArgmaxWebGpu: WebGpuKernel<{ x: Slot }, { y: Slot }, ResizeArgmaxParams> = takingHalves(
  ['x'],
  ({ x }, { y }, { through }, machine) => {
    const [, height, width, channels] = x.shape as Image;
    const [, outHeight, outWidth] = y.shape as readonly [number, number, number];
    const [betweenHeight, betweenWidth] = through;
    checkSides([height, betweenHeight], [width, betweenWidth], [betweenHeight, outHeight], [betweenWidth, outWidth]);
    const unit = unitOf(channels);
    const count = sizeOf(y.shape);
    const steps = channels / unit;
    const sizes = { height, width, steps, betweenHeight, betweenWidth, outHeight, outWidth };
    return [
      {
        shader: resizeArgmaxShader({ unit, from: encodingOf(x, machine), bytes: y.dtype === 'u8' }),
        bindings: [read(x), write(y)],
        uniforms: uniforms.words({ count, ...sizes }),
        workgroups: linearGrid(Math.ceil(count / groupSize), machine),
      },
    ];
  },
);

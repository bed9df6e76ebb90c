import type { Slot } from '../../../../kernel.js';
import type {
  CrossEntropyGradientInputs,
  CrossEntropyInputs,
  CrossEntropyOutputs,
  CrossEntropyParams,
} from '../../../../ops/gradients/cross-entropy.js';
import type { DType } from '../../../../dtype.js';
import { sizeOf } from '../../../../shape.js';
import {
  defineShader,
  gpuScratch,
  linearGrid,
  read,
  write,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuResource,
  type WebGpuStep,
} from '../../program.js';
import { flatGrid, flatMain, linearBuiltins, storage, uniformBlock } from '../../wgsl.js';
import { logWgsl } from '../functions.wgsl.js';
import { unitOf, vectorOf, type Image, type Unit } from '../images.js';
import { joinLanes, laneGroup, laneIndices, lanesFor, rowsPerGroup } from '../lanes.wgsl.js';
import { argmaxKeyWgsl } from '../lines.js';
import { checkSides, sampleWgsl } from '../resize.js';
import { labelElements, labelWgsl } from './cross-entropy.js';
import { readersWgsl } from './spatial.js';

/** `rows` are the pixels of the label maps. */
const pixelUniforms = uniformBlock({
  ...{ rows: 'u32', channels: 'u32', ignored: 'i32' },
  ...{ height: 'u32', width: 'u32', outHeight: 'u32', outWidth: 'u32' },
});

interface PixelShape {
  readonly lanes: number;
  /** Channels of each lane, which stay in registers. */
  readonly steps: number;
  readonly labels: DType;
  /** Whether `log Σ e^x` is wanted instead of the loss and whether it is right. */
  readonly sums: boolean;
}

/** A few invocations share a pixel of the labels: each mixes its channels of the logits once. */
const pixelShader = defineShader('resizeCrossEntropy', ({ lanes, steps, labels, sums }: PixelShape) => {
  const results = ['read_write', sums ? 'sums' : 'loss', 'array<f32>'] as const;
  const finish = `  let label = labelAt(row);
  if (label == params.ignored) {
    loss[row] = 0.0;
    correct[row] = 0.0;
  } else if (u32(label) >= params.channels) {
    loss[row] = notANumber();
    correct[row] = 0.0;
  } else {
    loss[row] = largest - mixed(u32(label), top, bottom, columns, rows.weight) + logOf(total);
    correct[row] = select(0.0, 1.0, index == u32(label));
  }`;
  return `${storage(
    ['read', 'x', 'array<f32>'],
    !sums && ['read', 'labels', labelElements(labels)],
    results,
    !sums && ['read_write', 'correct', 'array<f32>'],
  )}
${pixelUniforms.wgsl}
${sums ? '' : labelWgsl(labels)}
${sampleWgsl}
${logWgsl('f32')}
${argmaxKeyWgsl}
fn mixed(channel: u32, top: u32, bottom: u32, columns: Sample, weight: f32) -> f32 {
  let left = columns.low * params.channels + channel;
  let right = columns.high * params.channels + channel;
  return mix(mix(x[top + left], x[top + right], columns.weight), mix(x[bottom + left], x[bottom + right], columns.weight), weight);
}
${joinLanes('best', 'vec2<u32>', lanes, 'select(a, b, b.x > a.x || (b.x == a.x && b.y < a.y))')}
${joinLanes('sum', 'f32', lanes, 'a + b')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${laneIndices(lanes)}
  let line = row / params.outWidth;
  let rows = sample(line % params.outHeight, params.height, params.outHeight);
  let columns = sample(row % params.outWidth, params.width, params.outWidth);
  let image = line / params.outHeight * params.height;
  let top = (image + rows.low) * params.width * params.channels;
  let bottom = (image + rows.high) * params.width * params.channels;
  var values: array<f32, ${steps}>;
  var own = vec2<u32>(0u, 0xffffffffu);
  for (var k = 0u; k < ${steps}u; k++) {
    let channel = k * ${lanes}u + lane;
    if (channel < params.channels) {
      values[k] = mixed(channel, top, bottom, columns, rows.weight);
      let key = keyOf(values[k], channel);
      if (key > own.x || own.y == 0xffffffffu) {
        own = vec2<u32>(key, channel);
      }
    }
  }
  let index = best(own, local).y;
  let largest = mixed(index, top, bottom, columns, rows.weight);
  var total = 0.0;
  for (var k = 0u; k < ${steps}u; k++) {
    if (k * ${lanes}u + lane < params.channels) {
      total += exp(values[k] - largest);
    }
  }
  total = sum(total, local);
  if (lane > 0u || place >= params.rows) {
    return;
  }
${sums ? '  sums[row] = largest + logOf(total);' : finish}
}`;
});

function pixelStep(
  x: WebGpuOperand,
  labels: WebGpuOperand,
  results: { readonly loss: WebGpuResource; readonly correct: WebGpuResource } | { readonly sums: WebGpuResource },
  ignored: number,
  machine: WebGpuMachine,
): WebGpuStep {
  const [, height, width, channels] = x.shape as Image;
  const [, outHeight, outWidth] = labels.shape as readonly [number, number, number];
  const rows = sizeOf(labels.shape);
  const lanes = lanesFor(channels);
  const steps = Math.ceil(channels / lanes);
  const sums = 'sums' in results;
  return {
    shader: pixelShader({ lanes, steps, labels: labels.dtype, sums }),
    bindings: sums
      ? [read(x), write(results.sums)]
      : [read(x), read(labels), write(results.loss), write(results.correct)],
    uniforms: pixelUniforms.words({ rows, channels, ignored, height, width, outHeight, outWidth }),
    workgroups: linearGrid(Math.ceil(rows / rowsPerGroup(lanes)), machine),
  };
}

export const resizeCrossEntropyWebGpu: WebGpuKernel<CrossEntropyInputs, CrossEntropyOutputs, CrossEntropyParams> = (
  { x, labels },
  outputs,
  { ignoreIndex },
  machine,
) => {
  const [, height, width] = x.shape as Image;
  const [, outHeight, outWidth] = labels.shape as readonly [number, number, number];
  checkSides([height, outHeight], [width, outWidth]);
  return sizeOf(labels.shape) === 0 ? [] : [pixelStep(x, labels, outputs, ignoreIndex, machine)];
};

const gradientUniforms = uniformBlock({
  ...{ count: 'u32', channels: 'u32', classes: 'u32', ignored: 'i32' },
  ...{ height: 'u32', width: 'u32', outHeight: 'u32', outWidth: 'u32' },
});

/**
 * Each pixel of gx gathers from the labels that read it. Their logits are mixed from the pixel and its neighbours alone, which
 * stay in registers; `sums` is `log Σ e^x` of each label's logits.
 */
const gradientShader = defineShader(
  'resizeCrossEntropyGradient',
  ({ unit, labels }: { readonly unit: Unit; readonly labels: DType }) => {
    const type = vectorOf(unit);
    const own =
      unit === 1
        ? 'c'
        : `vec${unit}<u32>(${Array.from({ length: unit }, (_, k) => `c * ${unit}u + ${k}u`).join(', ')})`;
    const indices = unit === 1 ? 'u32' : `vec${unit}<u32>`;
    return `${storage(
      ['read', 'x', `array<${type}>`],
      ['read', 'labels', labelElements(labels)],
      ['read', 'sums', 'array<f32>'],
      ['read', 'scale', 'array<f32>'],
      ['read_write', 'gx', `array<${type}>`],
    )}
${gradientUniforms.wgsl}
${labelWgsl(labels)}
${readersWgsl}
${flatMain}
  let c = i % params.channels;
  let pixel = i / params.channels;
  let column = pixel % params.width;
  let line = pixel / params.width;
  let row = line % params.height;
  let image = line / params.height;
  let own = ${own};
  // The pixel and its neighbours, clamped at the borders.
  var around: array<${type}, 9>;
  for (var k = 0u; k < 9u; k++) {
    let y = min(max(row + k / 3u, 1u) - 1u, params.height - 1u);
    let across = min(max(column + k % 3u, 1u) - 1u, params.width - 1u);
    around[k] = x[((image * params.height + y) * params.width + across) * params.channels + c];
  }
  let rows = readersOf(row, params.height, params.outHeight);
  let columns = readersOf(column, params.width, params.outWidth);
  var total = ${type}(0.0);
  for (var oy = rows.x; oy < rows.y; oy++) {
    let factorY = readerWeight(oy, row, params.height, params.outHeight);
    if (factorY == 0.0) { continue; }
    let s = sample(oy, params.height, params.outHeight);
    let low = (s.low + 1u - row) * 3u;
    let high = (s.high + 1u - row) * 3u;
    let left = mix(around[low], around[high], s.weight);
    let middle = mix(around[low + 1u], around[high + 1u], s.weight);
    let right = mix(around[low + 2u], around[high + 2u], s.weight);
    var run = ${type}(0.0);
    for (var ox = columns.x; ox < columns.y; ox++) {
      let factorX = readerWeight(ox, column, params.width, params.outWidth);
      let at = (image * params.outHeight + oy) * params.outWidth + ox;
      let label = labelAt(at);
      if (factorX == 0.0 || label == params.ignored) { continue; }
      let t = sample(ox, params.width, params.outWidth);
      let before = t.low < column;
      let logits = mix(select(middle, left, before), select(right, middle, before || t.high == t.low), t.weight);
      let hit = select(${type}(0.0), ${type}(1.0), own == ${indices}(u32(label)));
      var gradient = exp(logits - sums[at]) - hit;
      if (u32(label) >= params.classes) {
        gradient = ${type}(notANumber());
      }
      run += factorX * gradient;
    }
    total += factorY * run;
  }
  gx[i] = scale[0] * total;
}`;
  },
);

export const resizeCrossEntropyGradientWebGpu: WebGpuKernel<
  CrossEntropyGradientInputs,
  { gx: Slot },
  CrossEntropyParams
> = ({ x, labels, scale }, { gx }, { ignoreIndex }, machine) => {
  if (sizeOf(x.shape) === 0) return [];
  const [, height, width, classes] = x.shape as Image;
  const [, outHeight, outWidth] = labels.shape as readonly [number, number, number];
  checkSides([height, outHeight], [width, outWidth]);
  const unit = unitOf(classes);
  const channels = classes / unit;
  const count = sizeOf(x.shape) / unit;
  const sums = gpuScratch(sizeOf(labels.shape) * 4);
  const sizes = { height, width, outHeight, outWidth };
  return [
    pixelStep(x, labels, { sums }, ignoreIndex, machine),
    {
      shader: gradientShader({ unit, labels: labels.dtype }),
      bindings: [read(x), read(labels), read(sums), read(scale), write(gx)],
      uniforms: gradientUniforms.words({ count, channels, classes, ignored: ignoreIndex, ...sizes }),
      workgroups: flatGrid(count, machine),
    },
  ];
};

/** Tensors large enough to be split among threads, of sizes that no split fits evenly, against the reference device. */
import { test } from 'vitest';
import * as ops from '../src/ops/index.js';
import type { Tensor } from '../src/tensor.js';
import type { HostTensor, ToleranceKind } from '../src/testing/index.js';
import { expectAsReference, forEveryFastDevice, random } from './support.js';

type Tensors = Readonly<Record<string, Tensor>>;

interface Case {
  readonly inputs: Readonly<Record<string, HostTensor<Float32Array>>>;
  readonly run: (tensors: Tensors) => Tensor;
  readonly kind: ToleranceKind;
  readonly magnitude?: (tensors: Tensors) => Tensor;
  readonly terms?: number;
}

const image = random([2, 41, 53, 37], { seed: 1, low: -3, high: 3 });
const other = random([2, 41, 53, 37], { seed: 2 });
const channel = random([37], { seed: 3 });
const logits = random([1, 41, 47, 19], { seed: 4 });
const labels: HostTensor<Float32Array> = { shape: image.shape, data: image.data.map((v) => Math.floor(v * 3)) };

/** Sums are measured against the sums of the terms' magnitudes. */
const summed = (inputs: Case['inputs'], run: Case['run'], magnitude = run): Case => ({
  inputs,
  run,
  kind: 'sum',
  magnitude,
});
const moved = (run: (x: Tensor) => Tensor, x = image): Case => ({
  inputs: { x },
  run: (t) => run(t['x']!),
  kind: 'exact',
});
const mapped = (run: (x: Tensor) => Tensor, kind: ToleranceKind = 'function'): Case => ({ ...moved(run), kind });

const products = {
  conv2d: {
    x: random([2, 33, 35, 19]),
    w: random([43, 19, 3, 3], { seed: 5 }),
    r: random([2, 33, 35, 43], { seed: 6 }),
  },
  wide: { x: image, w: random([70, 37, 1, 1], { seed: 5 }) },
  depthwise: { x: image, w: random([37, 1, 5, 5], { seed: 5 }) },
  linear: { x: random([1501, 131]), w: random([67, 131], { seed: 5 }) },
  // So many terms that the CPU device takes a range of them at a time.
  long: { x: random([33001, 9]), w: random([33001, 24], { seed: 5 }) },
  batches: { x: random([7, 61, 83]), w: random([7, 83, 59], { seed: 5 }) },
};

const cases: Readonly<Record<string, Case>> = {
  gelu: mapped(ops.gelu),
  silu: mapped(ops.silu),
  relu: mapped(ops.relu, 'exact'),
  exp: mapped(ops.exp),
  'add, same shape': { inputs: { image, other }, run: (t) => ops.add(t['image']!, t['other']!), kind: 'arithmetic' },
  'mul by channel': { inputs: { image, channel }, run: (t) => ops.mul(t['image']!, t['channel']!), kind: 'arithmetic' },
  'div by pixel': {
    inputs: { image, pixel: random([2, 41, 53, 1], { low: 0.5 }) },
    run: (t) => ops.div(t['image']!, t['pixel']!),
    kind: 'arithmetic',
  },
  addScaled: {
    inputs: { image, other, channel },
    run: (t) => ops.addScaled(t['image']!, t['other']!, t['channel']!),
    kind: 'arithmetic',
  },
  'cast to f16': moved((x) => ops.cast(x, 'f16')),
  'cast to u8 and back': moved((x) => ops.cast(ops.cast(x, 'u8'), 'f32')),
  'cast to i32': moved((x) => ops.cast(x, 'i32')),
  'permute to channels first': moved((x) => ops.permute(x, [0, 3, 1, 2])),
  'permute to channels last': moved((x) => ops.permute(x, [0, 2, 3, 1])),
  'permute of bytes': moved((x) => ops.permute(ops.cast(x, 'u8'), [3, 2, 1, 0])),
  flip: moved((x) => ops.flip(x, 2)),
  'flip channels': moved((x) => ops.flip(x, 3)),
  slice: moved((x) => ops.slice(x, [0, 1, 2, 3], [2, -1, -1, -1])),
  pad: moved((x) =>
    ops.pad(
      x,
      [
        [0, 0],
        [2, 1],
        [1, 2],
        [0, 3],
      ],
      0.5,
    ),
  ),
  concat: moved((x) => ops.concat([x, ops.relu(x), ops.slice(x, [0, 0, 0, 36])])),
  'sum of all': summed({ image }, (t) => ops.sum(t['image']!)),
  'sum over pixels': summed({ image }, (t) => ops.sum(t['image']!, { axes: [0, 1, 2] })),
  'mean over channels': summed({ image }, (t) => ops.mean(t['image']!, { axes: -1 })),
  'mean over rows': summed({ image }, (t) => ops.mean(t['image']!, { axes: 1 })),
  'max of all': moved((x) => ops.max(x)),
  'min over pixels': moved((x) => ops.min(x, { axes: [0, 1, 2] })),
  'max over channels': moved((x) => ops.max(x, { axes: 3 })),
  'argmax over channels, with ties': moved((x) => ops.argmax(x), labels),
  'argmax over columns, with ties': moved((x) => ops.argmax(x, 2), labels),
  'argmax of all': moved((x) => ops.argmax(ops.reshape(x, [-1])), labels),
  softmax: mapped(ops.softmax),
  'softmax over rows': mapped((x) => ops.softmax(x, 1)),
  layerNorm: mapped((x) => ops.layerNorm(x), 'norm'),
  batchNorm: {
    inputs: { image, mean: channel, variance: random([37], { low: 0.1 }) },
    run: (t) => ops.batchNorm(t['image']!, { mean: t['mean']!, variance: t['variance']! }),
    kind: 'norm',
  },
  'resizeBilinear up': {
    inputs: { logits },
    run: (t) => ops.resizeBilinear(t['logits']!, [97, 131]),
    kind: 'interpolation',
  },
  'resizeBilinear down': mapped((x) => ops.resizeBilinear(x, [31, 42]), 'interpolation'),
  adaptiveAvgPool2d: summed({ image }, (t) => ops.adaptiveAvgPool2d(t['image']!, 6)),
  'adaptiveAvgPool2d to one': summed({ image }, (t) => ops.adaptiveAvgPool2d(t['image']!, 1)),
  conv2d: summed(
    products.conv2d,
    (t) => ops.conv2d(t['x']!, t['w']!, { padding: 1, residual: t['r'], activation: 'relu' }),
    (t) => ops.conv2d(t['x']!, t['w']!, { padding: 1, residual: t['r'] }),
  ),
  'conv2d with stride': summed(products.conv2d, (t) => ops.conv2d(t['x']!, t['w']!, { padding: 1, stride: 2 })),
  'conv2d 1×1': summed(products.wide, (t) => ops.conv2d(t['x']!, t['w']!)),
  'depthwise conv2d': summed(products.depthwise, (t) => ops.conv2d(t['x']!, t['w']!, { padding: 2, groups: 37 })),
  linear: summed(products.linear, (t) => ops.linear(t['x']!, t['w']!)),
  matmul: summed(products.batches, (t) => ops.matmul(t['x']!, t['w']!)),
  'matmul of few long sums': {
    ...summed(products.long, (t) => ops.matmul(t['x']!, t['w']!, { transposeA: true })),
    terms: 33001,
  },
  'matmul transposed': summed(products.batches, (t) =>
    ops.matmul(t['w']!, t['x']!, { transposeA: true, transposeB: true }),
  ),
};

await forEveryFastDevice((device) => {
  for (const [what, { inputs, run, ...how }] of Object.entries(cases)) {
    test(what, () => expectAsReference(device, inputs, run, { what, ...how }));
  }
});

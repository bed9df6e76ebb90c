/** Gradient kernels over random shapes against the reference device. */
import fc from 'fast-check';
import { test } from 'vitest';
import {
  adaptiveAvgPool2dGradient,
  batchNormGradient,
  batchNormReduce,
  channelMoments,
  crossEntropyForward,
  crossEntropyGradient,
  depthwiseConv2dWeightGradient,
  layerNormGradient,
  layerNormParameterGradient,
  pyramidTapGradient,
  resizeBilinearGradient,
  resizeCrossEntropyForward,
  resizeCrossEntropyGradient,
  unaryGradient,
} from '../src/ops/gradients/index.js';
import { add, exp, mul, type UnaryFunction } from '../src/ops/index.js';
import { drawn, expectAsReference, forEveryFastDevice, random } from './support.js';

const size = fc.constantFrom(0, 1, 1, 2, 3, 4, 5, 7, 8, 13);
const rows = fc.array(fc.constantFrom(0, 1, 2, 3, 9, 31), { maxLength: 3 });
const side = fc.integer({ min: 1, max: 24 });
const sides = fc.tuple(side, side);
const image = fc.record({
  n: fc.integer({ min: 0, max: 3 }),
  from: sides,
  to: sides,
  c: fc.integer({ min: 1, max: 21 }),
});

/** Rows that are not so flat that the differences from their means are all rounding. */
function uneven(shape: readonly number[]): ReturnType<typeof random> {
  const { data } = random(shape);
  const channels = shape.at(-1)!;
  return { shape, data: data.map((v, i) => v + ((i % channels) % 2 === 0 ? 1.5 : -1.5)) };
}

await forEveryFastDevice((device) => {
  test('unaryGradient', async () => {
    const cases = fc.record({
      fn: fc.constantFrom<UnaryFunction>('relu', 'gelu', 'silu', 'sigmoid', 'exp', 'log', 'sqrt', 'abs', 'neg'),
      shape: fc.array(size, { maxLength: 4 }),
      spread: fc.constantFrom(0.01, 1, 5, 20),
    });
    const property = fc.asyncProperty(cases, async ({ fn, shape, spread }) => {
      const low = fn === 'log' || fn === 'sqrt' ? spread / 100 : -spread;
      const inputs = { x: random(shape, { low, high: spread }), gy: random(shape, { seed: 2 }) };
      const exact = fn === 'relu' || fn === 'abs' || fn === 'neg';
      await expectAsReference(device, inputs, ({ x, gy }) => unaryGradient(fn, x, gy), {
        kind: exact ? 'exact' : 'function',
        what: fn,
      });
    });
    await fc.assert(property, drawn(150, device));
  });

  test('layerNormGradient', async () => {
    const cases = fc.record({ rows, channels: fc.integer({ min: 1, max: 140 }), weight: fc.boolean() });
    const property = fc.asyncProperty(cases, async ({ rows: lead, channels, weight: weighted }) => {
      const inputs = {
        x: uneven([...lead, channels]),
        gy: random([...lead, channels], { seed: 2 }),
        ...(weighted && { weight: random([channels], { seed: 3 }) }),
      };
      await expectAsReference(device, inputs, ({ x, gy, weight }) => layerNormGradient(x, gy, { weight, eps: 1e-6 }), {
        kind: 'norm',
        // A row of one channel has no gradient: what is left is the rounding of gy · rstd.
        ...(channels < 3 && { magnitude: ({ gy, weight }) => mul(weight ? mul(gy, weight) : gy, 1e3) }),
      });
    });
    await fc.assert(property, drawn(80, device));
  });

  test.for(['weight', 'bias'] as const)('layerNormParameterGradient: %s', async (output) => {
    const cases = fc.record({ rows, channels: fc.integer({ min: 2, max: 140 }) });
    const property = fc.asyncProperty(cases, async ({ rows: lead, channels }) => {
      const inputs = { x: uneven([...lead, channels]), gy: random([...lead, channels], { seed: 2 }) };
      const body = (x: Parameters<typeof layerNormGradient>[0], gy: typeof x) =>
        layerNormParameterGradient(x, gy, { eps: 1e-6 })[output];
      await expectAsReference(device, inputs, ({ x, gy }) => body(x, gy), {
        kind: 'norm',
        magnitude: ({ gy }) => layerNormParameterGradient(gy, gy, { eps: 1 }).bias,
      });
    });
    await fc.assert(property, drawn(60, device));
  });

  test.for(['mean', 'variance'] as const)('channelMoments: %s', async (output) => {
    const cases = fc.record({ rows, channels: fc.integer({ min: 1, max: 70 }), offset: fc.constantFrom(0, 3) });
    const property = fc.asyncProperty(cases, async ({ rows: lead, channels, offset }) => {
      const x = random([...lead, channels], { low: offset - 1, high: offset + 1 });
      await expectAsReference(device, { x }, (t) => channelMoments(t.x)[output], {
        kind: 'norm',
        magnitude: (t) => add(channelMoments(t.x).mean, offset),
      });
    });
    await fc.assert(property, drawn(80, device));
  });

  test('channelMoments far from 0 keep the variance', async () => {
    // Steps of 2⁻¹⁰ around 1000 are exact in f32: the variance is that of the steps.
    const { data } = random([4096, 6], { low: -1, high: 1 });
    const x = { shape: [4096, 6], data: data.map((v) => 1000 + Math.round(v * 64) / 1024) };
    await expectAsReference(device, { x }, (t) => channelMoments(t.x).variance, { kind: 'norm' });
    await expectAsReference(device, { x }, (t) => channelMoments(t.x).mean, { kind: 'arithmetic' });
  });

  test.for(['weight', 'bias', 'gx'] as const)('batch norm in training: %s', async (output) => {
    const cases = fc.record({ rows, channels: fc.integer({ min: 1, max: 70 }), weight: fc.boolean() });
    const property = fc.asyncProperty(cases, async ({ rows: lead, channels, weight: weighted }) => {
      const shape = [...lead, channels];
      const inputs = {
        x: random(shape),
        gy: random(shape, { seed: 2 }),
        mean: random([channels], { seed: 3, low: -0.5, high: 0.5 }),
        variance: random([channels], { seed: 4, low: 0.2, high: 2 }),
        gradWeight: random([channels], { seed: 5 }),
        gradBias: random([channels], { seed: 6 }),
        ...(weighted && { weight: random([channels], { seed: 7 }) }),
      };
      await expectAsReference(
        device,
        inputs,
        ({ x, gy, mean, variance, ...own }) =>
          output === 'gx'
            ? batchNormGradient(x, gy, { mean, variance, ...own, eps: 1e-5, count: 3 })
            : batchNormReduce(x, gy, mean, variance, 1e-5)[output],
        {
          kind: 'norm',
          ...(output !== 'gx' && {
            magnitude: ({ x, gy, mean, variance }) => batchNormReduce(x, gy, mean, variance, 1).bias,
          }),
        },
      );
    });
    await fc.assert(property, drawn(60, device));
  });

  test('resizeBilinearGradient', async () => {
    const property = fc.asyncProperty(image, ({ n, from, to, c }) =>
      expectAsReference(device, { gy: random([n, ...to, c]) }, ({ gy }) => resizeBilinearGradient(gy, from), {
        kind: 'sum',
        magnitude: ({ gy }) => resizeBilinearGradient(gy, from),
      }),
    );
    await fc.assert(property, drawn(100, device));
  });

  test('resizeBilinearGradient to and from long sides', async () => {
    for (const [from, to] of [
      [
        [2, 517],
        [3, 1031],
      ],
      [
        [1031, 2],
        [517, 1],
      ],
      [
        [1, 683],
        [1, 2048],
      ],
      [
        [1, 1],
        [129, 65],
      ],
    ] as const) {
      await expectAsReference(device, { gy: random([1, ...to, 5]) }, ({ gy }) => resizeBilinearGradient(gy, from), {
        kind: 'sum',
        terms: to[0] * to[1],
        magnitude: ({ gy }) => resizeBilinearGradient(gy, from),
        what: `from ${from}`,
      });
    }
  });

  test('pyramidTapGradient', async () => {
    const property = fc.asyncProperty(image, ({ n, from, to, c }) =>
      expectAsReference(device, { gy: random([n, ...to, c]) }, ({ gy }) => pyramidTapGradient(gy, from), {
        kind: 'sum',
        magnitude: ({ gy }) => pyramidTapGradient(gy, from),
      }),
    );
    await fc.assert(property, drawn(60, device));
  });

  test('adaptiveAvgPool2dGradient', async () => {
    const property = fc.asyncProperty(image, ({ n, from, to, c }) =>
      expectAsReference(device, { gy: random([n, ...to, c]) }, ({ gy }) => adaptiveAvgPool2dGradient(gy, from), {
        kind: 'sum',
        magnitude: ({ gy }) => adaptiveAvgPool2dGradient(gy, from),
      }),
    );
    await fc.assert(property, drawn(100, device));
  });

  test('depthwiseConv2dWeightGradient', async () => {
    const step = fc.constantFrom(1, 1, 1, 2, 3);
    const cases = fc.record({
      n: fc.integer({ min: 0, max: 3 }),
      size: fc.tuple(fc.integer({ min: 1, max: 19 }), fc.integer({ min: 1, max: 19 })),
      c: fc.integer({ min: 1, max: 37 }),
      kernel: fc.tuple(fc.integer({ min: 1, max: 5 }), fc.constantFrom(1, 2, 3, 3, 3, 4, 5, 5, 7)),
      stride: fc.tuple(step, step),
      padding: fc.tuple(fc.nat(3), fc.nat(3)),
      dilation: fc.tuple(step, step),
    });
    const property = fc.asyncProperty(cases, async ({ n, size: [h, w], c, kernel, stride, padding, dilation }) => {
      const output = [h, w].map((d, i) => {
        const reach = d + 2 * padding[i]! - dilation[i]! * (kernel[i]! - 1) - 1;
        return Math.floor(reach / stride[i]!) + 1;
      });
      fc.pre(output.every((d) => d > 0));
      const inputs = { x: random([n, h, w, c]), gy: random([n, ...output, c], { seed: 2 }) };
      const options = { stride, padding, dilation };
      const body = (x: Parameters<typeof depthwiseConv2dWeightGradient>[0], gy: typeof x) =>
        depthwiseConv2dWeightGradient(x, gy, kernel, options);
      await expectAsReference(device, inputs, ({ x, gy }) => body(x, gy), {
        kind: 'sum',
        magnitude: ({ x, gy }) => body(x, gy),
      });
    });
    await fc.assert(property, drawn(120, device));
  });

  test.for(['loss', 'correct', 'gx'] as const)('cross entropy: %s', async (output) => {
    const cases = fc.record({
      pixels: fc.array(fc.constantFrom(0, 1, 2, 3, 9), { maxLength: 3 }),
      channels: fc.integer({ min: 1, max: 160 }),
      spread: fc.constantFrom(1, 10, 80),
      dtype: fc.constantFrom('u8', 'i32'),
    });
    const property = fc.asyncProperty(cases, async ({ pixels, channels, spread, dtype }) => {
      const drawnLabels = random(pixels, { seed: 2, low: 0, high: channels + 1 }).data;
      const labels = Array.from(drawnLabels, (v) => (Math.floor(v) === channels ? 255 : Math.floor(v)));
      const inputs = {
        x: random([...pixels, channels], { low: -spread, high: spread }),
        labels: { shape: pixels, data: dtype === 'u8' ? Uint8Array.from(labels) : Int32Array.from(labels) },
        scale: random([], { seed: 3 }),
      };
      await expectAsReference(
        device,
        inputs,
        ({ x, labels: given, scale }) =>
          output === 'gx'
            ? crossEntropyGradient(x, given, scale, { ignoreIndex: 255 })
            : crossEntropyForward(x, given, { ignoreIndex: 255 })[output],
        { kind: output === 'correct' ? 'exact' : 'function' },
      );
    });
    await fc.assert(property, drawn(60, device));
  });

  test.for(['loss', 'correct', 'gx'] as const)('cross entropy of resized logits: %s', async (output) => {
    const cases = fc.record({
      image: fc.record({ n: fc.integer({ min: 0, max: 2 }), from: sides, to: sides }),
      channels: fc.constantFrom(1, 2, 3, 4, 7, 12, 19, 150),
      ignored: fc.constantFrom(255, 0),
      dtype: fc.constantFrom('u8', 'i32'),
    });
    const property = fc.asyncProperty(cases, async ({ image: { n, from, to }, channels, ignored, dtype }) => {
      const drawnLabels = random([n, ...to], { seed: 2, low: 0, high: channels + 1 });
      const labels = Array.from(drawnLabels.data, (v) => (Math.floor(v) === channels ? ignored : Math.floor(v)));
      const inputs = {
        x: random([n, ...from, channels], { low: -4, high: 4 }),
        labels: { shape: drawnLabels.shape, data: dtype === 'u8' ? Uint8Array.from(labels) : Int32Array.from(labels) },
        scale: random([], { seed: 3, low: 0.1 }),
      };
      const options = { ignoreIndex: ignored };
      await expectAsReference(
        device,
        inputs,
        ({ x, labels: given, scale }) =>
          output === 'gx'
            ? resizeCrossEntropyGradient(x, given, scale, options)
            : resizeCrossEntropyForward(x, given, options)[output],
        {
          kind: output === 'correct' ? 'exact' : output === 'gx' ? 'sum' : 'function',
          // Terms of both signs cancel: what is left of them is measured against one label's gradient.
          ...(output === 'gx' && { magnitude: ({ x, scale }) => mul(exp(mul(x, 0)), scale) }),
          ...(output === 'loss' && { magnitude: ({ x }) => x }),
        },
      );
    });
    await fc.assert(property, drawn(60, device));
  });

  test('cross entropy of resized logits, large enough to be split', async () => {
    const labels = random([2, 67, 83], { seed: 2, low: 0, high: 20 }).data;
    const inputs = {
      x: random([2, 17, 21, 19], { low: -4, high: 4 }),
      labels: { shape: [2, 67, 83], data: Uint8Array.from(labels, (v) => (v >= 19 ? 255 : v)) },
      scale: random([], { seed: 3, low: 0.1 }),
    };
    const options = { ignoreIndex: 255 };
    await expectAsReference(
      device,
      inputs,
      ({ x, labels: given, scale }) => resizeCrossEntropyGradient(x, given, scale, options),
      { kind: 'sum' },
    );
    await expectAsReference(
      device,
      inputs,
      ({ x, labels: given }) => resizeCrossEntropyForward(x, given, options).loss,
      { kind: 'function' },
    );
  });
});

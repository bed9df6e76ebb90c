/** Reductions and norms over random shapes against the reference device. */
import fc from 'fast-check';
import { test } from 'vitest';
import { argmax, batchNorm, layerNorm, max, mean, min, softmax, sum, sumSquares } from '../src/ops/index.js';
import { drawn, expectAsReference, forEveryFastDevice, random } from './support.js';

const size = fc.constantFrom(1, 1, 2, 3, 4, 5, 7, 8, 9, 19);
const shape = fc.array(size, { minLength: 1, maxLength: 4 });
const withAxis = shape.chain((dims) => fc.record({ dims: fc.constant(dims), axis: fc.nat(dims.length - 1) }));

await forEveryFastDevice((device) => {
  test('sum, sum of squares, mean, max, min over any axes', async () => {
    const functions = { sum, sumSquares, mean, max, min };
    const cases = shape.chain((dims) =>
      fc.record({
        name: fc.constantFrom(...(Object.keys(functions) as (keyof typeof functions)[])),
        dims: fc.constant(dims),
        axes: fc.subarray(dims.map((_, i) => i)),
        keepDims: fc.boolean(),
      }),
    );
    const property = fc.asyncProperty(cases, async ({ name, dims, axes, keepDims }) => {
      const options = { axes, keepDims };
      await expectAsReference(device, { x: random(dims) }, ({ x }) => functions[name](x, options), {
        kind: name === 'max' || name === 'min' ? 'exact' : 'sum',
        magnitude: ({ x }) => functions[name](x, options),
        what: name,
      });
    });
    await fc.assert(property, drawn(150));
  });

  test('argmax, with ties', async () => {
    const property = fc.asyncProperty(withAxis, fc.constantFrom(2, 5, 1000), async ({ dims, axis }, levels) => {
      const { data } = random(dims, { low: 0, high: levels });
      await expectAsReference(device, { x: { shape: dims, data: data.map(Math.floor) } }, ({ x }) => argmax(x, axis), {
        kind: 'exact',
      });
    });
    await fc.assert(property, drawn(120));
  });

  test('softmax along any axis', async () => {
    const property = fc.asyncProperty(withAxis, fc.constantFrom(1, 10, 90), async ({ dims, axis }, spread) => {
      const x = random(dims, { low: -spread, high: spread });
      await expectAsReference(device, { x }, (t) => softmax(t.x, axis), { kind: 'function' });
    });
    await fc.assert(property, drawn(120));
  });

  test('layerNorm', async () => {
    const cases = fc.record({
      rows: fc.array(fc.constantFrom(0, 1, 2, 3, 9), { maxLength: 3 }),
      channels: fc.integer({ min: 1, max: 140 }),
      weight: fc.boolean(),
      bias: fc.boolean(),
    });
    const property = fc.asyncProperty(cases, async ({ rows, channels, ...present }) => {
      const { shape: dims, data } = random([...rows, channels]);
      // Neighbours of opposite sign: no row is so flat that the difference from its mean is all rounding.
      const x = { shape: dims, data: data.map((v, i) => v + ((i % channels) % 2 === 0 ? 1.5 : -1.5)) };
      const inputs = {
        x,
        ...(present.weight && { weight: random([channels], { seed: 2 }) }),
        ...(present.bias && { bias: random([channels], { seed: 3 }) }),
      };
      await expectAsReference(device, inputs, ({ x: t, ...options }) => layerNorm(t, { ...options, eps: 1e-6 }), {
        kind: 'norm',
      });
    });
    await fc.assert(property, drawn(80));
  });

  test('batchNorm', async () => {
    const cases = fc.record({
      rows: fc.array(fc.constantFrom(0, 1, 2, 3, 9), { maxLength: 3 }),
      channels: fc.integer({ min: 1, max: 40 }),
      weight: fc.boolean(),
      bias: fc.boolean(),
    });
    const property = fc.asyncProperty(cases, async ({ rows, channels, ...present }) => {
      const inputs = {
        x: random([...rows, channels]),
        mean: random([channels], { seed: 2 }),
        variance: random([channels], { seed: 3, low: 0.1, high: 2 }),
        ...(present.weight && { weight: random([channels], { seed: 4 }) }),
        ...(present.bias && { bias: random([channels], { seed: 5 }) }),
      };
      await expectAsReference(device, inputs, ({ x, ...options }) => batchNorm(x, options), { kind: 'norm' });
    });
    await fc.assert(property, drawn(60));
  });
});

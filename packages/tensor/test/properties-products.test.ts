/** Convolutions and matrix products of random shapes against the reference device. */
import fc from 'fast-check';
import type { Tensor } from '../src/tensor.js';
import { test } from 'vitest';
import { conv2d, linear, matmul } from '../src/ops/index.js';
import type { Activation } from '../src/ops/index.js';
import { drawn, expectAsReference, forEveryFastDevice, random } from './support.js';

const activation = fc.constantFrom<Activation>('none', 'relu', 'gelu', 'silu', 'sigmoid');
const between = (min: number, max: number) => fc.integer({ min, max });

const epilogue = fc.record({
  scale: fc.boolean(),
  bias: fc.boolean(),
  layerScale: fc.boolean(),
  residual: fc.boolean(),
});

/** Operands of an epilogue for a result of that shape; none exceeds 1, so that activations of the product dominate. */
function operands(shape: readonly number[], present: Readonly<Record<string, boolean>>) {
  const chosen = Object.keys(present).filter((key) => present[key]);
  return Object.fromEntries(
    chosen.map((key, i) => [key, random(key === 'residual' ? shape : shape.slice(-1), { seed: 90 + i })]),
  );
}

/** One axis of a convolution whose kernel fits. */
const axis = fc
  .record({
    k: between(1, 4),
    stride: between(1, 3),
    padding: between(0, 3),
    dilation: between(1, 3),
    extra: between(0, 8),
  })
  .map(({ extra, ...a }) => {
    const size = Math.max(1, a.dilation * (a.k - 1) + 1 - 2 * a.padding) + extra;
    return { ...a, size, out: Math.floor((size + 2 * a.padding - a.dilation * (a.k - 1) - 1) / a.stride) + 1 };
  });

type Axis = typeof axis extends fc.Arbitrary<infer A> ? A : never;

const both = (v: Axis, h: Axis) => ({
  stride: [v.stride, h.stride] as const,
  padding: [v.padding, h.padding] as const,
  dilation: [v.dilation, h.dilation] as const,
});

await forEveryFastDevice((device) => {
  test('conv2d', async () => {
    const shapes = fc.record({
      n: fc.constantFrom(0, 1, 1, 2, 3),
      v: axis,
      h: axis,
      groups: fc.constantFrom(1, 1, 1, 2, 3),
      c: between(1, 21),
      o: between(1, 21),
      epilogue,
      activation,
    });
    const property = fc.asyncProperty(shapes, async ({ n, v, h, groups, c, o, epilogue: present, activation: f }) => {
      const inputs = {
        x: random([n, v.size, h.size, c * groups]),
        weight: random([o * groups, c, v.k, h.k], { seed: 2 }),
        ...operands([n, v.out, h.out, o * groups], present),
      };
      await expectAsReference(
        device,
        inputs,
        ({ x, weight, ...rest }) => conv2d(x, weight, { ...both(v, h), groups, activation: f, ...rest }),
        { kind: 'sum', magnitude: ({ x, weight, ...rest }) => conv2d(x, weight, { ...both(v, h), groups, ...rest }) },
      );
    });
    await fc.assert(property, drawn(80, device));
  });

  test('conv2d 3×3 of many channels', async () => {
    const shapes = fc.record({ c: between(16, 72), o: between(16, 72), h: between(1, 17), w: between(1, 17) });
    const property = fc.asyncProperty(shapes, async ({ c, o, h, w }) => {
      const inputs = { x: random([1, h, w, c]), weight: random([o, c, 3, 3], { seed: 2 }) };
      await expectAsReference(device, inputs, ({ x, weight }) => conv2d(x, weight, { padding: 1 }), {
        kind: 'sum',
        magnitude: ({ x, weight }) => conv2d(x, weight, { padding: 1 }),
      });
    });
    await fc.assert(property, drawn(12, device));
  });

  test('depthwise conv2d', async () => {
    const shapes = fc.record({
      n: fc.constantFrom(0, 1, 2),
      v: axis,
      h: axis,
      c: between(2, 37),
      epilogue,
      activation,
    });
    const property = fc.asyncProperty(shapes, async ({ n, v, h, c, epilogue: present, activation: f }) => {
      const inputs = {
        x: random([n, v.size, h.size, c]),
        weight: random([c, 1, v.k, h.k], { seed: 2 }),
        ...operands([n, v.out, h.out, c], present),
      };
      await expectAsReference(
        device,
        inputs,
        ({ x, weight, ...rest }) => conv2d(x, weight, { ...both(v, h), groups: c, activation: f, ...rest }),
        {
          kind: 'sum',
          magnitude: ({ x, weight, ...rest }) => conv2d(x, weight, { ...both(v, h), groups: c, ...rest }),
        },
      );
    });
    await fc.assert(property, drawn(80, device));
  });

  test('linear', async () => {
    const lead = fc.array(fc.constantFrom(0, 1, 2, 3, 5, 8, 13), { maxLength: 3 });
    const shapes = fc.record({ lead, k: between(0, 70), o: between(0, 70), epilogue, activation });
    const property = fc.asyncProperty(shapes, async ({ lead: rows, k, o, epilogue: present, activation: f }) => {
      const shape = [...rows, o];
      const inputs = { x: random([...rows, k]), weight: random([o, k], { seed: 2 }), ...operands(shape, present) };
      await expectAsReference(
        device,
        inputs,
        ({ x, weight, ...rest }) => linear(x, weight, { activation: f, ...rest }),
        {
          kind: 'sum',
          magnitude: ({ x, weight, ...rest }) => {
            const { bias, residual }: Partial<Record<string, Tensor>> = rest;
            return linear(x, weight, { bias, residual });
          },
        },
      );
    });
    await fc.assert(property, drawn(100, device));
  });

  test('matmul', async () => {
    const shapes = fc.record({
      batch: fc.array(fc.record({ size: between(1, 3), a: fc.boolean(), b: fc.boolean() }), { maxLength: 2 }),
      m: between(0, 20),
      k: between(0, 40),
      n: between(0, 20),
      transposeA: fc.boolean(),
      transposeB: fc.boolean(),
    });
    const property = fc.asyncProperty(shapes, async ({ batch, m, k, n, ...options }) => {
      const inputs = {
        a: random([...batch.map(({ size, a }) => (a ? size : 1)), ...(options.transposeA ? [k, m] : [m, k])]),
        b: random([...batch.map(({ size, b }) => (b ? size : 1)), ...(options.transposeB ? [n, k] : [k, n])], {
          seed: 2,
        }),
      };
      const body = ({ a, b }: Record<'a' | 'b', Parameters<typeof matmul>[0]>) => matmul(a, b, options);
      await expectAsReference(device, inputs, body, { kind: 'sum', magnitude: body });
    });
    await fc.assert(property, drawn(100, device));
  });
});

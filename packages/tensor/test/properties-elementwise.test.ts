/** Elementwise operators over random shapes and values against the reference device. */
import fc from 'fast-check';
import { test } from 'vitest';
import type { DType, HostArray } from '../src/dtype.js';
import { floatToHalf } from '../src/half.js';
import {
  abs,
  add,
  addScaled,
  cast,
  div,
  equal,
  exp,
  gelu,
  greater,
  log,
  maximum,
  minimum,
  mul,
  neg,
  relu,
  sigmoid,
  silu,
  sqrt,
  sub,
} from '../src/ops/index.js';
import type { HostTensor, ToleranceKind } from '../src/testing/index.js';
import { drawn, expectAsReference, forEveryFastDevice, random } from './support.js';

const size = fc.constantFrom(0, 1, 1, 2, 3, 4, 5, 7, 8, 13);

/** Two shapes that broadcast: each axis is missing in front, 1, or the common size. */
const broadcasting = fc
  .record({
    common: fc.array(size, { maxLength: 4 }),
    a: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    b: fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    dropA: fc.nat(3),
    dropB: fc.nat(3),
  })
  .map(({ common, a, b, dropA, dropB }) => ({
    a: common.map((d, i) => (a[i] ? 1 : d)).slice(dropA),
    b: common.map((d, i) => (b[i] ? 1 : d)).slice(dropB),
  }));

await forEveryFastDevice((device) => {
  test('unary functions', async () => {
    const functions = { relu, gelu, silu, sigmoid, exp, log, sqrt, abs, neg };
    const exact = new Set(['relu', 'abs', 'neg']);
    const shapes = fc.record({
      name: fc.constantFrom(...(Object.keys(functions) as (keyof typeof functions)[])),
      shape: fc.array(size, { maxLength: 4 }),
      spread: fc.constantFrom(0.01, 1, 5, 20),
    });
    const property = fc.asyncProperty(shapes, async ({ name, shape, spread }) => {
      const low = name === 'log' || name === 'sqrt' ? 1e-6 : -spread;
      const kind: ToleranceKind = exact.has(name) ? 'exact' : 'function';
      await expectAsReference(device, { x: random(shape, { low, high: spread }) }, ({ x }) => functions[name](x), {
        kind,
        what: name,
      });
    });
    await fc.assert(property, drawn(120));
  });

  test('binary functions broadcast', async () => {
    const functions = { add, sub, mul, div, maximum, minimum, greater, equal };
    const exact = new Set(['maximum', 'minimum', 'greater', 'equal']);
    const shapes = fc.record({
      name: fc.constantFrom(...(Object.keys(functions) as (keyof typeof functions)[])),
      shapes: broadcasting,
    });
    const property = fc.asyncProperty(shapes, async ({ name, shapes: { a, b } }) => {
      const inputs = { a: random(a), b: random(b, { seed: 2, low: name === 'div' ? 0.1 : -1 }) };
      const kind: ToleranceKind = exact.has(name) ? 'exact' : 'arithmetic';
      const magnitude =
        name === 'add' || name === 'sub'
          ? { magnitude: ({ a: x, b: y }: Record<'a' | 'b', Parameters<typeof add>[0]>) => add(x, y) }
          : {};
      await expectAsReference(device, inputs, ({ a: x, b: y }) => functions[name](x, y), {
        kind,
        what: name,
        ...magnitude,
      });
    });
    await fc.assert(property, drawn(150));
  });

  test('addScaled', async () => {
    const property = fc.asyncProperty(fc.array(size, { minLength: 1, maxLength: 4 }), async (shape) => {
      const inputs = { x: random(shape), y: random(shape, { seed: 2 }), scale: random(shape.slice(-1), { seed: 3 }) };
      await expectAsReference(device, inputs, ({ x, y, scale }) => addScaled(x, y, scale), {
        kind: 'arithmetic',
        magnitude: ({ x, y, scale }) => addScaled(x, y, scale),
      });
    });
    await fc.assert(property, drawn(60));
  });

  test('cast between every two dtypes', async () => {
    const dtypes = ['f32', 'f16', 'i32', 'u8'] as const;
    const arrays: Readonly<Record<DType, (values: Float32Array) => HostArray>> = {
      f32: (values) => values,
      f16: (values) => Uint16Array.from(values, floatToHalf),
      i32: (values) => Int32Array.from(values, Math.trunc),
      u8: (values) => Uint8Array.from(values, (v) => Math.abs(Math.trunc(v)) % 256),
    };
    const shapes = fc.record({
      from: fc.constantFrom(...dtypes),
      to: fc.constantFrom(...dtypes),
      length: fc.integer({ min: 0, max: 70 }),
      spread: fc.constantFrom(1, 300, 70000, 1e7),
    });
    const property = fc.asyncProperty(shapes, async ({ from, to, length, spread }) => {
      const { data } = random([length], { low: -spread, high: spread });
      const x: HostTensor<HostArray> = { shape: [length], data: arrays[from](data) };
      await expectAsReference(device, { x }, (t) => cast(t.x, to), { kind: 'exact', what: `${from} to ${to}` });
    });
    await fc.assert(property, drawn(120));
  });
});

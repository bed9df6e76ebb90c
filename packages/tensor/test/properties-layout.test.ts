/** Data movement over random shapes: against the reference device, and by going there and back. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { HostArray } from '../src/dtype.js';
import { concat, flip, pad, permute, slice } from '../src/ops/index.js';
import { sizeOf } from '../src/shape.js';
import { hostTensor, type HostTensor } from '../src/testing/index.js';
import { drawn, expectAsReference, forEveryFastDevice, upload } from './support.js';

const size = fc.constantFrom(0, 1, 1, 2, 3, 4, 5, 8, 17);
const shape = fc.array(size, { minLength: 1, maxLength: 4 });

/** A tensor with a different value in nearly every place, of any dtype. */
const tensor = fc.record({ shape, dtype: fc.constantFrom('f32', 'f16', 'i32', 'u8') }).map(fill);

function fill({ shape: dims, dtype }: { shape: number[]; dtype: string }): HostTensor<HostArray> {
  const values = Array.from({ length: sizeOf(dims) }, (_, i) => i + 1);
  // Any bits below 0x7c00 are a finite half.
  const data =
    dtype === 'f32' ? Float32Array : dtype === 'i32' ? Int32Array : dtype === 'f16' ? Uint16Array : Uint8Array;
  return { shape: dims, data: data.from(values.map((v) => (dtype === 'u8' ? v % 251 : v % 30000))) };
}

const withOrder = tensor.chain((x) =>
  fc.record({
    x: fc.constant(x),
    axes: fc.shuffledSubarray(
      x.shape.map((_, i) => i),
      { minLength: x.shape.length },
    ),
  }),
);

await forEveryFastDevice((device) => {
  test('permute, there and back', async () => {
    const property = fc.asyncProperty(withOrder, async ({ x, axes }) => {
      await expectAsReference(device, { x }, (t) => permute(t.x, axes), { kind: 'exact' });
      const inverse = axes.map((_, i) => axes.indexOf(i));
      const source = upload(device, x);
      const there = permute(source, axes);
      const back = permute(there, inverse);
      expect([...(await back.read())]).toEqual([...x.data]);
      for (const t of [source, there, back]) t.dispose();
    });
    await fc.assert(property, drawn(80));
  });

  test('flip', async () => {
    const cases = tensor.chain((x) => fc.record({ x: fc.constant(x), axes: fc.subarray(x.shape.map((_, i) => i)) }));
    const property = fc.asyncProperty(cases, ({ x, axes }) =>
      expectAsReference(device, { x }, (t) => flip(t.x, axes), { kind: 'exact' }),
    );
    await fc.assert(property, drawn(60));
  });

  test('slice gives what pad surrounded', async () => {
    const widths = fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 4, maxLength: 4 });
    const property = fc.asyncProperty(tensor, widths, async (x, all) => {
      const around = all.slice(0, x.shape.length);
      await expectAsReference(device, { x }, (t) => pad(t.x, around, 9), { kind: 'exact' });
      const source = upload(device, x);
      const padded = pad(source, around, 9);
      const start = around.map(([before]) => before);
      const inner = slice(
        padded,
        start,
        x.shape.map((d, i) => start[i]! + d),
      );
      expect(inner.shape).toEqual(x.shape);
      expect([...(await inner.read())]).toEqual([...x.data]);
      for (const t of [source, padded, inner]) t.dispose();
    });
    await fc.assert(property, drawn(80));
  });

  test('slice of any block', async () => {
    const cases = tensor.chain((x) =>
      fc.record({
        x: fc.constant(x),
        ends: fc.tuple(
          ...x.shape.map((d) =>
            fc.tuple(fc.nat(d), fc.nat(d)).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const),
          ),
        ),
      }),
    );
    const property = fc.asyncProperty(cases, ({ x, ends }) =>
      expectAsReference(
        device,
        { x },
        (t) =>
          slice(
            t.x,
            ends.map(([a]) => a),
            ends.map(([, b]) => b),
          ),
        { kind: 'exact' },
      ),
    );
    await fc.assert(property, drawn(80));
  });

  test('concat, and slices that take it apart', async () => {
    const cases = shape.chain((dims) =>
      fc.record({
        dims: fc.constant(dims),
        axis: fc.nat(dims.length - 1),
        sizes: fc.array(size, { minLength: 1, maxLength: 4 }),
        dtype: fc.constantFrom('f32', 'u8', 'f16'),
      }),
    );
    const property = fc.asyncProperty(cases, async ({ dims, axis, sizes, dtype }) => {
      const parts = sizes.map((length) => fill({ shape: dims.map((d, i) => (i === axis ? length : d)), dtype }));
      const named = Object.fromEntries(parts.map((part, i) => [`part${i}`, part]));
      await expectAsReference(device, named, (t) => concat(Object.values(t), axis), { kind: 'exact' });
      const sources = parts.map((part) => upload(device, part));
      const joined = concat(sources, axis);
      let at = 0;
      for (const part of parts) {
        const length = part.shape[axis]!;
        const piece = slice(
          joined,
          dims.map((_, i) => (i === axis ? at : 0)),
          dims.map((_, i) => (i === axis ? at + length : undefined)),
        );
        const source = upload(device, part);
        expect(await hostTensor(piece)).toEqual(await hostTensor(source));
        at += length;
        for (const t of [piece, source]) t.dispose();
      }
      for (const t of [...sources, joined]) t.dispose();
    });
    await fc.assert(property, drawn(60));
  });
});

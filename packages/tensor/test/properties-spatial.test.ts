/** Resizing and pooling over random sizes against the reference device. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createDevice } from '../src/create-device.js';
import { adaptiveAvgPool2d, resizeArgmax, resizeBilinear } from '../src/ops/index.js';
import { tolerance } from '../src/testing/index.js';
import { compute, drawn, expectAsReference, forEveryFastDevice, random } from './support.js';

const reference = await createDevice('reference');
const side = fc.integer({ min: 1, max: 24 });
const size = fc.tuple(side, side);
const image = fc.record({ n: fc.integer({ min: 1, max: 3 }), from: size, c: fc.integer({ min: 1, max: 21 }) });

await forEveryFastDevice((device) => {
  test('resizeBilinear', async () => {
    const property = fc.asyncProperty(image, size, ({ n, from, c }, to) =>
      expectAsReference(device, { x: random([n, ...from, c]) }, ({ x }) => resizeBilinear(x, to), {
        kind: 'interpolation',
      }),
    );
    await fc.assert(property, drawn(80));
  });

  test('resizeBilinear to and from long sides', async () => {
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
        [1, 2048],
        [1, 683],
      ],
    ] as const) {
      const x = random([1, ...from, 5]);
      await expectAsReference(device, { x }, (t) => resizeBilinear(t.x, to), {
        kind: 'interpolation',
        what: `to ${to}`,
      });
    }
  });

  test('adaptiveAvgPool2d', async () => {
    const property = fc.asyncProperty(image, size, ({ n, from, c }, to) =>
      expectAsReference(device, { x: random([n, ...from, c]) }, ({ x }) => adaptiveAvgPool2d(x, to), {
        kind: 'sum',
        magnitude: ({ x }) => adaptiveAvgPool2d(x, to),
      }),
    );
    await fc.assert(property, drawn(80));
  });

  test('resizeArgmax labels differ from the oracle only where two logits are equal to f32', async () => {
    const property = fc.asyncProperty(image, size, fc.option(size), async ({ n, from, c }, to, through) => {
      const x = random([n, ...from, c]);
      const { data: labels } = await compute(device, { x }, (t) => resizeArgmax(t.x, to, through ?? undefined));
      const { data: logits } = await compute(reference, { x }, (t) =>
        resizeBilinear(through ? resizeBilinear(t.x, through) : t.x, to),
      );
      expect(labels).toHaveLength(n * to[0] * to[1]);
      const bound = 2 * tolerance('interpolation', 'f32').relative;
      for (let pixel = 0; pixel < labels.length; pixel++) {
        const own = logits.subarray(pixel * c, (pixel + 1) * c);
        expect(own.reduce((a, b) => Math.max(a, b)) - own[labels[pixel]!]!).toBeLessThanOrEqual(bound);
      }
    });
    // The last example is large enough to be split among threads.
    const examples: [{ n: number; from: [number, number]; c: number }, [number, number], [number, number] | null][] = [
      [{ n: 1, from: [1, 1], c: 3 }, [5, 4], null],
      [{ n: 1, from: [17, 19], c: 150 }, [129, 131], [68, 76]],
    ];
    await fc.assert(property, { ...drawn(60), examples });
  });
});

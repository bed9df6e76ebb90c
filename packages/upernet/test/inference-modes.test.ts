/** Scales, flips and windows against their rules written out in f64, and the memory that they leave behind. */
import * as fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { createDevice, scope } from '@ii/tensor';
import { isSoftwareGpu, onEveryDevice } from '@ii/tensor/testing';
import { createUperNet, slideWindows, type SegmentOptions, type Segmentor, type UperNetConfig } from '../src/index.js';
import { noisePhoto, plainLabels, plainProbabilities, type PlainMap, type PlainOptions } from './plain-inference.js';

const tiny: UperNetConfig = {
  backbone: { channels: 8, depths: [1, 1, 1, 1], groups: [1, 2, 4, 8], layerScale: 1 },
  decodeHead: { channels: 16 },
  numClasses: 20,
};
const RATIOS = [0.5, 0.75, 1, 1.25, 1.5, 1.75];

/** The decode head's output for a host map. */
const forwardOf =
  ({ network, device }: Segmentor) =>
  async ({ height, width, data }: PlainMap): Promise<PlainMap> => {
    using logits = scope(() => network.forward(device.tensor(data, [1, height, width, 3])));
    const [, h, w, c] = logits.shape as readonly [number, number, number, number];
    return { height: h, width: w, channels: c, data: await logits.readFloat64() };
  };

const scale = [57, 40] as const;
const windows = { crop: [32, 48], stride: [20, 32] } as const;
const cases: readonly [string, SegmentOptions, PlainOptions][] = [
  ['ss, whole', { scale }, { scale }],
  ['ss, slide', { scale, mode: 'slide', ...windows }, { scale, slide: windows }],
  ['ms-flip, whole', { scale, protocol: 'ms-flip' }, { scale, ratios: RATIOS, flips: [false, true] }],
  [
    'ms-flip, slide',
    { scale, protocol: 'ms-flip', mode: 'slide', ...windows },
    { scale, ratios: RATIOS, flips: [false, true], slide: windows },
  ],
];

await onEveryDevice({ describe, test, afterAll }, (device) => {
  const slow = isSoftwareGpu(device);
  // The first and the last take every step between them.
  const taken = slow ? [cases[0]!, cases[3]!] : cases;

  test.each(taken)('%s: every pixel has the label of the plain computation', async (_, options, plain) => {
    using model = await createUperNet(tiny, { device, seed: 3 });
    const photo = noisePhoto(37, 51, 1);
    const { labels, inputSize } = await model.segment(photo, options);
    expect(labels.shape).toEqual([37, 51]);
    expect(labels.data).toBeInstanceOf(Uint8Array);
    expect(inputSize).toEqual([64, 64]);
    const expected = plainLabels(await plainProbabilities(forwardOf(model), photo, plain));
    // In f64 every pixel; in f32 those that rounding cannot flip.
    const sure = device.name === 'reference' ? 0 : 1e-5;
    const wrong = expected.labels.filter((label, i) => expected.margins[i]! > sure && labels.data[i] !== label);
    expect(wrong).toEqual([]);
    expect(expected.margins.filter((margin) => margin > sure).length).toBeGreaterThan(0.99 * labels.data.length);
    expect(new Set(labels.data).size).toBeGreaterThan(1);
  });

  test('leaves the device as it was, also when aborted or refused', async () => {
    using model = await createUperNet(tiny, { device, seed: 3 });
    const photo = noisePhoto(24, 40, 2);
    const protocol = slow ? 'ss' : 'ms-flip';
    const options = { scale: [40, 24], protocol, mode: 'slide', crop: [16, 24] } as const;
    for (let i = 0; i < 2; i++) await model.segment(photo, options);
    const before = device.memory();
    await model.segment(photo, options);
    const abort = new AbortController();
    const running = model.segment(photo, { ...options, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    await expect(model.segment(photo, { ...options, stride: [17, 24] })).rejects.toThrow(/leaves gaps/);
    expect(device.memory()).toEqual(before);
  });
});

describe('modes of a segmentor', () => {
  test('the four ways differ, and segmentAll gives what segment gives', async () => {
    using device = await createDevice('wasm', { threads: 1 });
    using model = await createUperNet(tiny, { device, seed: 3 });
    const photos = [noisePhoto(37, 51, 1), noisePhoto(30, 20, 2)];
    const seen = new Set<string>();
    for (const [, options] of cases) {
      const together = await model.segmentAll(photos, options);
      for (const [i, photo] of photos.entries()) {
        expect(together[i]!.labels.data).toEqual((await model.segment(photo, options)).labels.data);
      }
      seen.add(String(together[0]!.labels.data));
    }
    expect(seen.size).toBe(cases.length);
  });

  test('one window as large as the input is the whole image, with classes that take turns', async () => {
    // 20,000 classes of 32 × 32 pixels are more than is held at once, and need labels of 16 bits.
    const config = { ...tiny, numClasses: 20_000 };
    using device = await createDevice('wasm', { threads: 1 });
    using model = await createUperNet(config, { device, seed: 5 });
    const photo = noisePhoto(11, 13, 3);
    const { labels } = await model.segment(photo, { scale: [32, 32] });
    const options = { scale: [32, 32], mode: 'slide', crop: [512, 512] } as const;
    const windowed = await model.segment(photo, options);
    expect(windowed.labels.data).toBeInstanceOf(Uint16Array);
    expect(windowed.labels.data).toEqual(labels.data);
    expect(Math.max(...labels.data)).toBeGreaterThan(256);
  });

  test('refuses what it cannot do', async () => {
    using model = await createUperNet(tiny, { device: 'reference', seed: 3 });
    const photo = noisePhoto(8, 8, 1);
    const refused = (options: object) => expect(model.segment(photo, options)).rejects;
    await refused({ protocol: 'ms' }).toThrow("protocol must be 'ss' or 'ms-flip', got 'ms'");
    await refused({ mode: 'crop' }).toThrow("mode must be 'whole' or 'slide', got 'crop'");
    await refused({ protocol: 'ms-flip', logits: true }).toThrow(/logits are those of one pass/);
    await refused({ protocol: 'ms-flip', scale: [32, 1] }).toThrow(/scale 32×1 leaves no pixel at the ratio 0.5/);
    await refused({ mode: 'slide', crop: [0, 32] }).toThrow(/whole numbers of at least 1, .* crop 0×32/);
  });
});

describe('slideWindows', () => {
  test('is the grid of mmsegmentation, with the last windows pushed inside', () => {
    expect(slideWindows([512, 683], [512, 512], [341, 341])).toEqual([
      { top: 0, left: 0, height: 512, width: 512 },
      { top: 0, left: 171, height: 512, width: 512 },
    ]);
    expect(slideWindows([5, 8], [4, 4], [2, 2]).map(({ top, left }) => [top, left])).toEqual([
      [0, 0],
      [0, 2],
      [0, 4],
      [1, 0],
      [1, 2],
      [1, 4],
    ]);
    expect(slideWindows([3, 9], [4, 4], [4, 4]).map(({ left, height }) => [left, height])).toEqual([
      [0, 3],
      [4, 3],
      [5, 3],
    ]);
  });

  test('covers every pixel, stays inside, and repeats no window', () => {
    const side = fc.integer({ min: 1, max: 40 });
    const size = fc.tuple(side, side);
    fc.assert(
      fc.property(size, size, size, (map, crop, wish) => {
        const stride = [Math.min(wish[0], crop[0]), Math.min(wish[1], crop[1])] as const;
        const all = slideWindows(map, crop, stride);
        const counts = new Uint8Array(map[0] * map[1]);
        for (const { top, left, height, width } of all) {
          expect([height, width]).toEqual([Math.min(crop[0], map[0]), Math.min(crop[1], map[1])]);
          expect(Math.min(top, left, map[0] - top - height, map[1] - left - width)).toBeGreaterThanOrEqual(0);
          for (let y = top; y < top + height; y++) counts.fill(1, y * map[1] + left, y * map[1] + left + width);
        }
        expect(counts.every((count) => count === 1)).toBe(true);
        expect(new Set(all.map(({ top, left }) => `${top} ${left}`)).size).toBe(all.length);
      }),
    );
  });
});

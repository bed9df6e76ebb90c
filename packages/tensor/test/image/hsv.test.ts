import * as fc from 'fast-check';
import ndarray from 'ndarray';
import { expect, it } from 'vitest';
import { hsvToRgb, rgbToHsv } from '../../src/image/index.js';
import { loadGolden } from '../../src/testing/index.js';

const pixel = (values: readonly number[]) => ndarray(Uint8Array.from(values), [1, 1, 3]);
const byte = fc.integer({ min: 0, max: 255 });

it('gives the bytes of OpenCV in both directions', async () => {
  const golden = (await loadGolden(new URL('../fixtures/image/hsv.json', import.meta.url))).case('hsv');
  const bytes = (name: string) => ndarray(golden.tensor(name).data as Uint8Array, [24, 24, 3]);
  expect(rgbToHsv(bytes('rgb')).data).toEqual(bytes('hsv').data);
  expect(hsvToRgb(bytes('hsv_in')).data).toEqual(bytes('rgb_out').data);
});

// A reciprocal is off by up to 0.5 / 4096, and a factor of up to 5 · 255 (hue) or 255 (saturation) carries that on.
it('follows the textbook hexcone to within the rounding of a byte and of the reciprocals', () => {
  fc.assert(
    fc.property(byte, byte, byte, (r, g, b) => {
      const [hue, saturation, value] = rgbToHsv(pixel([r, g, b])).data as unknown as [number, number, number];
      const max = Math.max(r, g, b);
      const range = max - Math.min(r, g, b);
      expect(value).toBe(max);
      expect(Math.abs(saturation - (max && (255 * range) / max))).toBeLessThanOrEqual(0.5 + (255 * 0.5) / 4096);
      if (range === 0) return expect(hue).toBe(0);
      const sixth = max === r ? (g - b) / range : max === g ? 2 + (b - r) / range : 4 + (r - g) / range;
      const apart = Math.abs(hue - ((sixth * 30 + 180) % 180));
      expect(Math.min(apart, 180 - apart)).toBeLessThanOrEqual(0.5 + (5 * 255 * 0.5) / 4096);
    }),
  );
});

it('turns back as OpenCV documents it, in float32', () => {
  const f = Math.fround;
  const even = (x: number): number => (x % 1 === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
  fc.assert(
    fc.property(fc.nat(179), byte, byte, (hue, s, v) => {
      const turn = f(hue * f(6 / 180));
      const part = f(turn - Math.floor(turn));
      const [saturation, value] = [f(s * f(1 / 255)), f(v * f(1 / 255))];
      const low = f(value * f(1 - saturation));
      const falling = f(value * f(1 - f(saturation * part)));
      const rising = f(value * f(1 - f(saturation * f(1 - part))));
      const colour = [
        [value, rising, low],
        [falling, value, low],
        [low, value, rising],
        [low, falling, value],
        [rising, low, value],
        [value, low, falling],
      ][Math.floor(turn)]!;
      expect([...hsvToRgb(pixel([hue, s, v])).data]).toEqual(colour.map((level) => even(f(level * 255))));
    }),
    { numRuns: 3000 },
  );
});

it('keeps greys, and names the primary colours', () => {
  for (let level = 0; level < 256; level++) {
    expect([...rgbToHsv(pixel([level, level, level])).data]).toEqual([0, 0, level]);
    expect([...hsvToRgb(pixel([77, 0, level])).data]).toEqual([level, level, level]);
  }
  const primaries = [
    [255, 0, 0],
    [255, 255, 0],
    [0, 255, 0],
    [0, 255, 255],
    [0, 0, 255],
    [255, 0, 255],
  ];
  primaries.forEach((colour, index) => {
    expect([...rgbToHsv(pixel(colour)).data]).toEqual([30 * index, 255, 255]);
    expect([...hsvToRgb(pixel([30 * index, 255, 255])).data]).toEqual(colour);
  });
});

it('reads any layout and leaves the source alone', () => {
  const image = ndarray(Uint8Array.from([9, 8, 7, 1, 2, 3]), [1, 2, 3]);
  const mirrored = image.step(1, -1);
  expect([...rgbToHsv(mirrored).data]).toEqual([
    ...rgbToHsv(pixel([1, 2, 3])).data,
    ...rgbToHsv(pixel([9, 8, 7])).data,
  ]);
  expect([...image.data]).toEqual([9, 8, 7, 1, 2, 3]);
});

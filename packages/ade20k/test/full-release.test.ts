import * as fc from 'fast-check';
import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import {
  ADE20K_CLASSES,
  benchmarkMapping,
  decodeReleaseMask,
  releaseMaskNames,
  toBenchmarkLabels,
} from '../src/index.js';

/** Packs a pixel as the release does; the tens digit of R is free to hold anything below 10. */
const pack = (classNumber: number, instance: number, noise = 0): number[] => [
  (classNumber >> 8) * 10 + noise,
  classNumber & 255,
  instance,
];

describe('decodeReleaseMask', () => {
  it('undoes the packing of class and instance', () => {
    const pixel = fc.tuple(fc.nat(25 * 256 + 255), fc.nat(255), fc.nat(5));
    fc.assert(
      fc.property(fc.array(pixel, { minLength: 1, maxLength: 40 }), (pixels) => {
        const mask = ndarray(Uint8Array.from(pixels.flatMap((p) => pack(...p))), [1, pixels.length, 3]);
        const { classes, instances } = decodeReleaseMask(mask);
        expect([...classes.data]).toEqual(pixels.map(([number]) => number));
        const ranked = [...new Set(pixels.map(([, b]) => b))].sort((a, b) => a - b);
        expect([...instances.data]).toEqual(pixels.map(([, b]) => ranked.indexOf(b)));
        expect(classes.shape).toEqual([1, pixels.length]);
      }),
    );
  });

  it('reads views, and names the files of a photo', () => {
    const mask = ndarray(Uint8Array.from([...pack(300, 0), ...pack(2978, 4)]), [2, 1, 3]);
    expect([...decodeReleaseMask(mask.step(-1)).classes.data]).toEqual([2978, 300]);
    const names = releaseMaskNames('street/ADE_train_00016869.jpg');
    expect([names.objects, names.parts(2)]).toEqual([
      'street/ADE_train_00016869_seg.png',
      'street/ADE_train_00016869_parts_2.png',
    ]);
  });
});

describe('benchmarkMapping', () => {
  const names = [
    'Wall',
    'edifice, building',
    'door',
    'double door',
    'tank, army tank, armored combat vehicle',
    'screen',
    'throne',
    'counter',
    'buffet, counter, sideboard',
    '-',
  ];

  it('matches by all synonyms, else by the first name, never by a word in common', () => {
    const { ids, unmatched } = benchmarkMapping(names);
    expect([...ids]).toEqual([255, 0, 1, 14, 255, 255, 130, 255, 45, 99, 255]);
    expect(unmatched).toEqual(ADE20K_CLASSES.map(({ id }) => id).filter((id) => ![0, 1, 14, 130, 45, 99].includes(id)));
  });

  it('lets the caller decide', () => {
    expect([...benchmarkMapping(names, { 'double door': 14, screen: 255 }).ids.slice(3, 7)]).toEqual([
      14, 14, 255, 255,
    ]);
    expect(() => benchmarkMapping(names, { gate: 14 })).toThrow(/'gate' is not in the release's list/);
    expect(() => benchmarkMapping(names, { door: 150 })).toThrow(/'door' has id 150; expected 0 to 149/);
  });

  it('finds all 150 classes under their own names', () => {
    const { ids, unmatched } = benchmarkMapping(ADE20K_CLASSES.map(({ synonyms }) => synonyms.join(', ')));
    expect([...ids]).toEqual([255, ...ADE20K_CLASSES.map(({ id }) => id)]);
    expect(unmatched).toEqual([]);
  });

  it('turns a mask into benchmark labels', () => {
    const mapping = benchmarkMapping(names);
    const classes = ndarray(Uint16Array.from([0, 3, 10, 8]), [2, 2]);
    expect([...toBenchmarkLabels(classes, mapping).data]).toEqual([255, 14, 255, 45]);
    expect(() => toBenchmarkLabels(ndarray(Uint16Array.from([11]), [1, 1]), mapping)).toThrow(
      /class number 11, but the list of names ends at 10/,
    );
  });
});

import * as fc from 'fast-check';
import ndarray from 'ndarray';
import { describe, expect, it } from 'vitest';
import { LabelRangeError, legend, overlay, type Palette } from '../../src/image/index.js';

const palette: Palette = [
  [255, 0, 0],
  [0, 100, 201],
];
const photo = ndarray(new Uint8Array([10, 20, 30, 40, 50, 60, 70, 80, 90]), [1, 3, 3]);
const labels = ndarray(new Uint8Array([0, 1, 255]), [1, 3]);

describe('overlay', () => {
  it('mixes colour and photo, rounds, and keeps unlabelled pixels', () => {
    expect([...overlay(photo, labels, palette).data]).toEqual([133, 10, 15, 20, 75, 131, 70, 80, 90]);
    expect([...overlay(photo, labels, palette, { opacity: 0.25 }).data.subarray(0, 3)]).toEqual([71, 15, 23]);
  });

  it('is the photo at opacity 0 and the palette at 1', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 9, maxLength: 9 }), (bytes) => {
        const image = ndarray(Uint8Array.from(bytes), [1, 3, 3]);
        expect([...overlay(image, labels, palette, { opacity: 0 }).data]).toEqual([...bytes]);
        expect([...overlay(image, labels, palette, { opacity: 1 }).data.subarray(0, 6)]).toEqual(palette.flat());
      }),
    );
  });

  it('takes strided labels and another ignored id', () => {
    const column = ndarray(new Uint8Array([9, 1, 9, 0, 9, 0]), [3, 2]).pick(null, 1);
    const strided = ndarray(column.data, [1, 3], [0, 2], 1);
    const result = overlay(photo, strided, palette, { opacity: 1, ignoreIndex: 0 });
    expect([...result.data]).toEqual([0, 100, 201, 40, 50, 60, 70, 80, 90]);
  });

  it('names an id beyond the palette, and where it is', () => {
    const bad = ndarray(new Uint16Array([0, 1, 0, 700, 0, 0]), [2, 3]);
    const image = ndarray(new Uint8Array(18), [2, 3, 3]);
    expect(() => overlay(image, bad, palette)).toThrow(LabelRangeError);
    expect(() => overlay(image, bad, palette)).toThrow(/label 700 at row 1, column 0 .*from 0 to 1/);
    expect(() => legend(bad, ['a', 'b'], palette)).toThrow(/legend: label 700 at row 1, column 0/);
  });

  it('refuses sizes that differ and opacities outside 0 to 1', () => {
    expect(() => overlay(photo, labels.transpose(1, 0), palette)).toThrow(/image is 1 × 3 and the label map 3 × 1/);
    expect(() => overlay(photo, labels, palette, { opacity: 1.5 })).toThrow(/opacity from 0 to 1, got 1.5/);
  });
});

describe('legend', () => {
  it('counts classes, largest first, and the unlabelled rest', () => {
    const map = ndarray(new Uint8Array([2, 0, 2, 255, 1, 0, 2, 2]), [2, 4]);
    const result = legend(map, ['wall', 'sky', 'tree'], [...palette, [1, 2, 3]]);
    expect(result).toEqual({
      entries: [
        { id: 2, name: 'tree', colour: [1, 2, 3], pixels: 4, share: 0.5 },
        { id: 0, name: 'wall', colour: [255, 0, 0], pixels: 2, share: 0.25 },
        { id: 1, name: 'sky', colour: [0, 100, 201], pixels: 1, share: 0.125 },
      ],
      unlabelled: 0.125,
    });
  });

  it('has shares that add up to 1 with the unlabelled one', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(0, 1, 2, 255), { minLength: 1, maxLength: 60 }), (ids) => {
        const { entries, unlabelled } = legend(
          ndarray(Uint8Array.from(ids), [1, ids.length]),
          ['a', 'b', 'c'],
          [...palette, [0, 0, 0]],
        );
        expect(entries.reduce((sum, { share }) => sum + share, unlabelled)).toBeCloseTo(1, 12);
        expect(entries.map(({ pixels }) => pixels)).toEqual(
          entries.map(({ pixels }) => pixels).toSorted((a, b) => b - a),
        );
      }),
    );
  });

  it('wants as many names as colours', () => {
    expect(() => legend(labels, ['a'], palette)).toThrow(/1 names and 2 colours/);
  });
});

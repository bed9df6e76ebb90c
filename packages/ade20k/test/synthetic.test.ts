import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  ADE20K_CLASS_NAMES,
  drawRectangles,
  openAde20k,
  SCENE_CLASS_IDS,
  SCENE_CLASSES,
  syntheticAde20k,
  syntheticNames,
  syntheticPair,
  type SyntheticPair,
} from '../src/index.js';

const hash = ({ image, annotation }: SyntheticPair): string =>
  createHash('sha256')
    .update(image.data as Uint8Array)
    .update(annotation.data)
    .digest('hex')
    .slice(0, 16);

describe('scenes', () => {
  it('are the same on every platform, to the bit', () => {
    const hashes = syntheticNames('training', 8).map((name) => hash(syntheticPair(name, { size: [60, 80], seed: 5 })));
    expect(hashes).toMatchInlineSnapshot(`
      [
        "eec709fcb5e4aa64",
        "74c6bc39eb285096",
        "719272c2119dae7e",
        "bc83c90cb423fd1c",
        "4950b01008d7faba",
        "688eff4d644bd7f0",
        "e5c1952effc6e27c",
        "6798d81235233026",
      ]
    `);
  });

  it('differ by name and by seed', () => {
    const size = [24, 32] as const;
    const hashes = [0, 1].flatMap((seed) => ['a', 'b', 'c'].map((name) => hash(syntheticPair(name, { size, seed }))));
    expect(new Set(hashes).size).toBe(6);
  });

  it.each([
    [1, 1],
    [7, 300],
    [300, 7],
    [33, 47],
  ])('can be of any size: %i × %i', (height, width) => {
    for (let i = 0; i < 12; i++) {
      const { image, annotation } = syntheticPair(`s${i}`, { size: [height, width] });
      expect(image.shape).toEqual([height, width, 3]);
      expect(annotation.shape).toEqual([height, width]);
      expect(Math.min(...annotation.data)).toBeGreaterThan(0);
    }
  });

  it('label every pixel with a class of scenes, and each class in a sensible share', () => {
    const [count, side] = [500, 64];
    const pixels = new Map<number, number>();
    const scenes = new Map<number, number>();
    for (let i = 0; i < count; i++) {
      const { annotation } = syntheticPair(`share ${i}`, { size: [side, side] });
      for (const value of annotation.data) pixels.set(value - 1, (pixels.get(value - 1) ?? 0) + 1);
      for (const value of new Set(annotation.data)) scenes.set(value - 1, (scenes.get(value - 1) ?? 0) + 1);
    }
    const ids = Object.values(SCENE_CLASS_IDS).sort((a, b) => a - b);
    expect([...pixels.keys()].sort((a, b) => a - b)).toEqual(ids);
    for (const name of SCENE_CLASSES) {
      const id = SCENE_CLASS_IDS[name];
      expect(ADE20K_CLASS_NAMES[id]).toBe(name);
      expect(scenes.get(id)! / count, `scenes with ${name}`).toBeGreaterThan(0.03);
      const share = pixels.get(id)! / (count * side * side);
      expect(share, `pixels of ${name}`).toBeGreaterThan(0.001);
      expect(share, `pixels of ${name}`).toBeLessThan(0.4);
    }
  });

  it('show what the labels say: the sky is above, the ground below, and the colours are those of the class', () => {
    const height = 48;
    const sums = new Map<string, { rows: number; colour: [number, number, number]; count: number }>();
    for (let i = 0; i < 120; i++) {
      const { image, annotation } = syntheticPair(`colour ${i}`, { size: [height, 64] });
      annotation.data.forEach((value, at) => {
        const name = ADE20K_CLASS_NAMES[value - 1]!;
        const sum = sums.get(name) ?? { rows: 0, colour: [0, 0, 0], count: 0 };
        sum.rows += Math.floor(at / 64) / height;
        for (let c = 0; c < 3; c++) sum.colour[c]! += image.data[3 * at + c]!;
        sum.count++;
        sums.set(name, sum);
      });
    }
    const row = (name: string): number => sums.get(name)!.rows / sums.get(name)!.count;
    const channel = (name: string, c: number): number => sums.get(name)!.colour[c]! / sums.get(name)!.count;
    expect(row('sky')).toBeLessThan(0.3);
    for (const name of ['road', 'grass', 'sidewalk', 'sand', 'earth']) expect(row(name), name).toBeGreaterThan(0.6);
    const brightness = (name: string): number => channel(name, 0) + channel(name, 1) + channel(name, 2);
    for (const name of ['tree', 'building', 'road', 'grass']) {
      expect(brightness('sky') - brightness(name), `sky is brighter than ${name}`).toBeGreaterThan(120);
    }
    for (const name of ['grass', 'tree', 'plant', 'palm']) {
      expect(channel(name, 1) - channel(name, 2), `${name} is green`).toBeGreaterThan(15);
    }
    expect(Math.abs(channel('road', 0) - channel('road', 2)), 'a road is grey').toBeLessThan(20);
    expect(channel('sand', 0) - channel('sand', 2), 'sand is yellow').toBeGreaterThan(20);
  });

  it('have smooth edges in the photo where the annotation has sharp ones', () => {
    // A fine grain aside, colours between a dark and a bright side occur at the edges only.
    const { image, annotation } = syntheticPair('ADE_train_00000103', { size: [96, 128] });
    let [between, edges] = [0, 0];
    const grey = (at: number): number => image.data[3 * at]! + image.data[3 * at + 1]! + image.data[3 * at + 2]!;
    for (let y = 0; y < 96; y++) {
      for (let x = 1; x < 126; x++) {
        const at = y * 128 + x;
        if (annotation.data[at] === annotation.data[at + 1]) continue;
        const [far, a, b, end] = [grey(at - 1), grey(at), grey(at + 1), grey(at + 2)];
        if (Math.abs(far - end) < 150) continue;
        edges++;
        const middle = (v: number): boolean => Math.abs(v - far) > 40 && Math.abs(v - end) > 40;
        if (middle(a) || middle(b)) between++;
      }
    }
    expect(edges).toBeGreaterThan(50);
    expect(between / edges).toBeGreaterThan(0.4);
  });
});

describe('synthetic data sets', () => {
  it('have any length, are valid, and give each pair once more when it is asked for again', async () => {
    const dataset = await openAde20k(syntheticAde20k({ count: 20_210, size: [24, 32] }), 'training');
    expect(dataset.length).toBe(20_210);
    const sample = await dataset.load(20_209);
    expect(sample.name).toBe('ADE_train_00020210');
    const pair = syntheticPair('ADE_train_00020210', { size: [24, 32] });
    expect(sample.image.data).toEqual(pair.image.data);
    expect(sample.labels!.data).toEqual(pair.annotation.data.map((value) => value - 1));
    expect((await dataset.load(20_209)).image.data).toEqual(pair.image.data);
    // Many at once, so that pairs are given up before their annotation is asked for.
    const all = await Promise.all(Array.from({ length: 80 }, (_, i) => dataset.load(i)));
    const names = syntheticNames('training', 80);
    all.forEach(({ labels }, i) => {
      expect(labels!.data, names[i]).toEqual(
        syntheticPair(names[i]!, { size: [24, 32] }).annotation.data.map((value) => value - 1),
      );
    });
  });

  it('share no picture between the splits', async () => {
    const access = syntheticAde20k({ count: 3, size: [24, 32] });
    const [training, validation] = [await openAde20k(access, 'training'), await openAde20k(access, 'validation')];
    expect((await training.load(0)).image.data).not.toEqual((await validation.load(0)).image.data);
  });

  it('of rectangles have just the classes asked for, and unlabelled pixels', async () => {
    const access = syntheticAde20k({ count: 40, size: [9, 11], draw: drawRectangles(9) });
    const report = await (await openAde20k(access, 'validation')).validate();
    expect(report.valid).toBe(true);
    expect(report.pixels).toBe(40 * 99);
    expect(report.classes.map(({ pixels }) => pixels > 0)).toEqual(Array.from({ length: 150 }, (_, id) => id < 9));
    expect(report.ignoredShare).toBeGreaterThan(0);
    expect(report.ignoredShare).toBeLessThan(0.3);
  });
});

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADE20K_CLASS_NAMES, openDataset, SCENE_CLASSES, syntheticPair } from '@ii/ade20k';
import { nodeAccess, openAde20kFolder } from '../../src/node.js';
import { ii } from '../support.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-synthesize-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('ii synthesize', () => {
  it('writes a data set that opens as ADE20K, with the labels as drawn and photos close to what was drawn', async () => {
    const out = join(folder, 'set');
    const flags = ['--count', '3', '--validation', '2', '--size', '40x56', '--seed', '7'];
    const { status, stdout } = await ii('synthesize', '--out', out, ...flags, '--json');
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ training: 3, validation: 2, size: [40, 56], seed: 7 });
    const training = await openAde20kFolder(out, 'training');
    expect(training.length).toBe(3);
    expect((await openAde20kFolder(out, 'validation')).length).toBe(2);
    const sample = await training.load(2);
    const drawn = syntheticPair('ADE_train_00000003', { size: [40, 56], seed: 7 });
    expect(sample.labels!.data).toEqual(drawn.annotation.data.map((value) => value - 1));
    const errors = drawn.image.data.map((value, i) => Math.abs(value - sample.image.data[i]!));
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(4);
  });

  it('annotates by the classes of scenes alone, if wanted', async () => {
    const out = join(folder, 'own');
    const flags = ['--count', '1', '--validation', '0', '--size', '40x56', '--classes', 'scenes'];
    expect((await ii('synthesize', '--out', out, ...flags)).status).toBe(0);
    const dataset = await openDataset({
      ...nodeAccess(out),
      ...{ images: 'images/training', annotations: 'annotations/training' },
      ...{ classNames: SCENE_CLASSES, labels: 'ade20k' },
    });
    const { annotation } = syntheticPair('ADE_train_00000001', { size: [40, 56] });
    const named = [...(await dataset.load(0)).labels!.data].map((id) => SCENE_CLASSES[id]);
    expect(named).toEqual([...annotation.data].map((value) => ADE20K_CLASS_NAMES[value - 1]));
  });

  it('refuses a folder with files in it, and a bad count', async () => {
    const out = join(folder, 'full');
    expect((await ii('synthesize', '--out', out, '--count', '0', '--validation', '0')).status).toBe(0);
    await writeFile(join(out, 'images', 'training', 'mine.jpg'), '');
    const { status, stderr } = await ii('synthesize', '--out', out, '--count', '1');
    expect(status).toBe(1);
    expect(stderr).toContain('is not empty (1 files)');
    expect(await readdir(join(out, 'images', 'training'))).toEqual(['mine.jpg']);
    expect((await ii('synthesize', '--out', out, '--count', '-1')).status).toBe(2);
  });
});

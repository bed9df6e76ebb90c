import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ADE20K_CLASSES, ADE20K_CLASS_NAMES, ADE20K_PALETTE } from '../src/index.js';

it('has the 150 classes of the benchmark table, in order', () => {
  const table = readFileSync(new URL('fixtures/ade20k-sample/objectInfo150.csv', import.meta.url), 'utf8')
    .trim()
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(','));
  expect(ADE20K_CLASSES).toHaveLength(150);
  for (const [index, , , , stuff, name] of table) {
    const entry = ADE20K_CLASSES[Number(index) - 1]!;
    expect(entry.id).toBe(Number(index) - 1);
    expect(entry.synonyms.join(';').replaceAll(' ', ';')).toBe(name);
    expect(entry.stuff).toBe(stuff === '1');
  }
});

it('names classes by their first synonym, all different', () => {
  expect(ADE20K_CLASS_NAMES[44]).toBe('chest of drawers');
  expect(ADE20K_CLASSES[87]!.synonyms).toEqual(['streetlight', 'street lamp']);
  expect(ADE20K_CLASS_NAMES[149]).toBe('flag');
  expect(new Set(ADE20K_CLASS_NAMES).size).toBe(150);
});

it('has the colours of mmsegmentation', () => {
  expect(ADE20K_PALETTE.slice(0, 3)).toEqual([
    [120, 120, 120],
    [180, 120, 120],
    [6, 230, 230],
  ]);
  expect(ADE20K_PALETTE.at(-1)).toEqual([92, 0, 255]);
  // Hash of the 450 bytes of the published table.
  expect(createHash('sha256').update(Uint8Array.from(ADE20K_PALETTE.flat())).digest('hex')).toBe(
    'ce475c9151035eff51f4cf27fd7d906959b1480f6d15b9423ae2417c1b23a0ed',
  );
});

it('has 149 different colours: road and skyscraper share one', () => {
  const keys = ADE20K_PALETTE.map((colour) => colour.join());
  expect(keys).toHaveLength(150);
  expect(new Set(keys).size).toBe(149);
  expect(keys[6]).toBe(keys[48]);
});

import { readFileSync } from 'node:fs';
import { IIError } from '@ii/tensor';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint.js';
import { checkpoint, countingSource, dict, storage, tensor, text } from './builder.js';

/** A small generator of repeatable random numbers (mulberry32). */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) % below;
  };
}

/** Values that break parsers more often than random ones. */
const extremes = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x28, 0x2e, 0x52, 0x62, 0x8a, 0x8d];

function mutate(good: Uint8Array, random: (below: number) => number): Uint8Array {
  const bytes = good.slice();
  const changes = 1 + random(4);
  for (let i = 0; i < changes; i++) {
    const at = random(bytes.length);
    const length = 1 + random(8);
    const kind = random(4);
    if (kind === 0) bytes[at] = random(256);
    else if (kind === 1) bytes[at] = extremes[random(extremes.length)] ?? 0;
    else if (kind === 2) bytes.fill(random(2) * 255, at, at + length);
    else bytes.copyWithin(at, random(bytes.length), random(bytes.length));
  }
  return random(8) === 0 ? bytes.subarray(0, random(bytes.length)) : bytes;
}

const fixture = (name: string) => readFileSync(new URL(`../fixtures/pth/${name}`, import.meta.url));
const deflated = checkpoint(
  dict([text('w'), tensor(storage('0', 'IntStorage', 64), [8, 8], [1, 8])]),
  { 0: new Uint8Array(256) },
  true,
);

const seeds: ReadonlyArray<readonly [string, () => Promise<Uint8Array>]> = [
  ...[
    'shared_storage.pth',
    'shared_storage_legacy.pth',
    'protocol4.pth',
    'newer_torch_layout.pth',
    'mmseg_numpy_meta.pth',
    'mmseg_style_legacy.pth',
    'parameters.pth',
    'dtypes_legacy.pth',
  ].map((name) => [name, async () => new Uint8Array(fixture(name))] as const),
  ['a deflated file', () => deflated.read(0, deflated.size)],
];

describe('a changed file', () => {
  it.each(seeds)('%s loads or is refused, and is never believed', async (name, read) => {
    const good = await read();
    const random = generator(name.length * 7919);
    let loaded = 0;
    let refused = 0;
    for (let round = 0; round < 250; round++) {
      const bytes = mutate(good, random);
      const source = countingSource(bytes, name);
      const start = performance.now();
      try {
        const { tensors, meta } = await openCheckpoint(source);
        JSON.stringify(meta);
        for (const stored of tensors.values()) {
          expect((await stored.bytes()).length).toBeLessThanOrEqual(16 * 2 ** 20);
        }
        loaded++;
      } catch (error) {
        if (!(error instanceof IIError))
          throw new Error(`round ${round} of ${name}: ${String(error)}`, { cause: error });
        refused++;
      }
      expect(Math.max(0, ...source.reads)).toBeLessThanOrEqual(bytes.length);
      expect(performance.now() - start).toBeLessThan(5000);
    }
    // Both must happen, else the changes test nothing.
    expect(loaded).toBeGreaterThan(10);
    expect(refused).toBeGreaterThan(10);
  });

  it.each(['plain_legacy.pth', 'plain_zip.pth'])('%s is refused wherever it is cut', async (name) => {
    const good = new Uint8Array(fixture(name));
    for (let length = 0; length < good.length; length += 7) {
      await expect(openCheckpoint(countingSource(good.subarray(0, length), name))).rejects.toThrow(IIError);
    }
  });
});

import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseShard, SamplerError, sequentialSampler, shuffledSampler, type SampleRef } from '../src/index.js';

function take(sampler: Iterable<SampleRef>, count: number): SampleRef[] {
  const refs: SampleRef[] = [];
  if (count > 0)
    for (const ref of sampler) {
      refs.push(ref);
      if (refs.length === count) break;
    }
  return refs;
}

const indices = (refs: readonly SampleRef[]): number[] => refs.map(({ index }) => index);
const shards = fc.integer({ min: 1, max: 5 });

describe('sequentialSampler', () => {
  it('gives every entry once; shards share them out', () => {
    fc.assert(
      fc.property(fc.nat(40), shards, fc.option(fc.nat(50), { nil: undefined }), (length, count, limit) => {
        const parts = Array.from({ length: count }, (_, index) => [
          ...sequentialSampler(length, { shard: { index, count }, ...(limit !== undefined && { limit }) }),
        ]);
        const expected = Array.from({ length: Math.min(length, limit ?? length) }, (_, i) => i);
        expect(parts.flatMap(indices).sort((a, b) => a - b)).toEqual(expected);
        const sizes = parts.map((part) => part.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
        expect(parts.flat().every(({ epoch }) => epoch === 0)).toBe(true);
      }),
    );
  });

  it('goes on behind what was drawn', () => {
    const shard = { index: 1, count: 3 };
    const all = [...sequentialSampler(20, { shard })];
    expect(indices(all)).toEqual([1, 4, 7, 10, 13, 16, 19]);
    expect([...sequentialSampler(20, { shard, drawn: all[2]!.drawn })]).toEqual(all.slice(3));
    expect([...sequentialSampler(20, { shard, drawn: 7 })]).toEqual([]);
  });
});

describe('shuffledSampler', () => {
  it('goes through all entries in each epoch, in another order', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(), (length, seed) => {
        const refs = take(shuffledSampler(length, { seed }), 3 * length);
        for (let epoch = 0; epoch < 3; epoch++) {
          const part = refs.slice(epoch * length, (epoch + 1) * length);
          expect(indices(part).sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
          expect(part.every((ref) => ref.epoch === epoch)).toBe(true);
        }
        expect(take(shuffledSampler(length, { seed }), 3 * length)).toEqual(refs);
      }),
    );
    const order = (seed: number, drawn: number) => indices(take(shuffledSampler(50, { seed, drawn }), 50));
    expect(order(0, 0)).not.toEqual(order(0, 50));
    expect(order(0, 0)).not.toEqual(order(1, 0));
    expect(order(0, 0)).not.toEqual([...order(0, 0)].sort((a, b) => a - b));
  });

  it('goes on behind what was drawn, in the middle of an epoch as well', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), shards, fc.nat(40), (length, count, cut) => {
        const shard = { index: count - 1, count };
        const refs = take(shuffledSampler(length, { seed: 3, shard }), cut + 10);
        const drawn = cut === 0 ? 0 : refs[cut - 1]!.drawn;
        expect(take(shuffledSampler(length, { seed: 3, shard, drawn }), 10)).toEqual(refs.slice(cut));
      }),
    );
  });

  it('shards take turns in the order of one', () => {
    const whole = indices(take(shuffledSampler(7, { seed: 9 }), 30));
    const parts = [0, 1, 2].map((index) =>
      indices(take(shuffledSampler(7, { seed: 9, shard: { index, count: 3 } }), 10)),
    );
    expect(whole).toEqual(Array.from({ length: 30 }, (_, i) => parts[i % 3]![Math.floor(i / 3)]));
  });

  it('puts every entry everywhere about equally often', () => {
    const counts = Array.from({ length: 4 }, () => [0, 0, 0, 0]);
    for (const { index, drawn } of take(shuffledSampler(4, { seed: 1 }), 16_000)) counts[(drawn - 1) % 4]![index]!++;
    // 1000 expected in each; the standard deviation is 27.
    for (const count of counts.flat()) expect(Math.abs(count - 1000)).toBeLessThan(140);
  });
});

it('parses shards, the first being 1/n', () => {
  expect(parseShard('1/4')).toEqual({ index: 0, count: 4 });
  expect(parseShard(' 4/4 ')).toEqual({ index: 3, count: 4 });
  for (const text of ['0/4', '5/4', '1', '1/0', 'a/b', '1/2/3', '-1/2', ''])
    expect(() => parseShard(text)).toThrow(/i\/n with i from 1 to n/);
});

it('refuses impossible options', () => {
  expect(() => shuffledSampler(0)).toThrow('length must be a whole number of at least 1, got 0');
  expect(() => shuffledSampler(5, { drawn: -1 })).toThrow('drawn must be a whole number of at least 0, got -1');
  expect(() => sequentialSampler(5, { shard: { index: 2, count: 2 } })).toThrow('got index 2 of 2');
  expect(() => sequentialSampler(5, { limit: 1.5 })).toThrow(SamplerError);
});

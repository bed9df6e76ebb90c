/** Tuning of launch parameters with a clock that is made up. */
import { expect, test } from 'vitest';
import { createDevice } from '../src/create-device.js';
import { Launches, sizeClass } from '../src/launches.js';
import type { TraceEntry } from '../src/trace.js';
import { tuneLaunches } from '../src/tune.js';

interface Tile {
  readonly rows: number;
}
const tile = (rows: number): Tile => ({ rows });
const tiles = [tile(8), tile(16), tile(32)];

/** Work of two products and a kernel without parameters; `times` are milliseconds by class and rows, run by run. */
function work(launches: Launches, times: Readonly<Record<string, Readonly<Record<number, readonly number[]>>>>) {
  const launched: string[] = [];
  const counts = new Map<string, number>();
  const trace = async (): Promise<readonly TraceEntry[]> => {
    const steps = Object.entries(times).map(([launch, byRows]) => {
      const { rows } = launches.choose(launch, launch === 'small' ? tiles.slice(0, 2) : tiles, tile16);
      const key = `${launch} ${rows}`;
      launched.push(key);
      const run = counts.get(key) ?? 0;
      counts.set(key, run + 1);
      const series = byRows[rows]!;
      return { step: 'gemm', milliseconds: series[Math.min(run, series.length - 1)]!, launch };
    });
    const entry = { shape: [1], milliseconds: 0, flops: 0, bytes: 0 };
    return [
      { ...entry, kernel: 'linear', steps: [...steps, { step: 'pack', milliseconds: 1000 }] },
      { ...entry, kernel: 'relu', steps: [{ step: 'unary', milliseconds: 5 }] },
    ];
  };
  return { trace, launched };
}
const tile16 = tiles[1]!;

test('keeps the candidate with the shortest time of each class, the compiling run aside', async () => {
  const launches = new Launches('a GPU');
  const { trace } = work(launches, {
    large: { 8: [1, 9, 8], 16: [90, 5, 6], 32: [90, 4, 7] },
    small: { 8: [90, 2, 2], 16: [90, 3, 3] },
  });
  const table = await tuneLaunches(trace, launches, { repeats: 2 });
  expect(table).toEqual({ 'a GPU': { large: { rows: 32 }, small: { rows: 8 } } });
  expect(launches.choose('large', tiles, tile16)).toBe(tiles[2]);
  expect(launches.choose('other', tiles, tile16)).toBe(tile16);
});

test('keeps to the estimate where nothing is clearly faster, and drops what an older table says', async () => {
  const launches = new Launches('a GPU', { 'a GPU': { large: { rows: 32 } } });
  expect(launches.choose('large', tiles, tile16)).toBe(tiles[2]);
  const { trace } = work(launches, { large: { 8: [9.9], 16: [10], 32: [10.5] } });
  expect(await tuneLaunches(trace, launches, {})).toEqual({ 'a GPU': {} });
  expect(launches.choose('large', tiles, tile16)).toBe(tile16);
});

test('gives the same table for the same times, and each candidate as many runs', async () => {
  const times = { large: { 8: [3], 16: [2], 32: [1] }, small: { 8: [1], 16: [2] } };
  const run = async () => {
    const launches = new Launches('a GPU');
    const { trace, launched } = work(launches, times);
    const progress: number[] = [];
    const onProgress = ({ done, total }: { done: number; total: number }): number => progress.push(done / total);
    const table = await tuneLaunches(trace, launches, { repeats: 1, onProgress });
    expect(progress.at(-1)).toBe(1);
    return { table: JSON.stringify(table), launched };
  };
  const [first, second] = [await run(), await run()];
  expect(first).toEqual(second);
  const count = (key: string): number => first.launched.filter((each) => each === key).length;
  expect(tiles.map(({ rows }) => count(`large ${rows}`))).toEqual([2, 2, 2]);
});

test('a stopped tuning changes nothing', async () => {
  const launches = new Launches('a GPU', { 'a GPU': { large: { rows: 8 } } });
  const { trace } = work(launches, { large: { 8: [3], 16: [2], 32: [1] } });
  const stop = new AbortController();
  const onProgress = (): void => stop.abort(new Error('enough'));
  await expect(tuneLaunches(trace, launches, { onProgress, signal: stop.signal })).rejects.toThrow('enough');
  expect(launches.choose('large', tiles, tile16)).toBe(tiles[0]);
});

test('a table is plain data, by adapter, and what it does not know is left to the kernel', () => {
  const table = JSON.parse('{"a GPU":{"large":{"rows":32}},"another":{"large":{"rows":8}}}') as object;
  const on = (adapter: string) => new Launches(adapter, { ...table }).choose('large', tiles, tile16);
  expect([on('a GPU'), on('another'), on('a third')]).toEqual([tiles[2], tiles[0], tile16]);
  const changed = new Launches('a GPU', { 'a GPU': { large: { rows: 64 } } });
  expect(changed.choose('large', tiles, tile16)).toBe(tile16);
});

test('sizes of one class lie around a power of two', () => {
  expect([0, 1, 2, 3, 5, 6, 100, 16384, 20000].map(sizeClass)).toEqual([1, 1, 2, 4, 4, 8, 128, 16384, 16384]);
});

test('a device without launch parameters has nothing to tune', async () => {
  using device = await createDevice('reference');
  expect(await device.tune(() => expect.fail('was run'))).toEqual({});
});

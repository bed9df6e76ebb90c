/** The tools that other tests trust: they must fail where they should. */
import { expect, test, vi } from 'vitest';
import type { DeviceName } from '../src/create-device.js';
import { DeviceUnavailableError, FormatError, ShapeError } from '../src/errors.js';
import { bytesSource } from '../src/io/index.js';
import {
  channelsFirst,
  channelsLast,
  compareTensors,
  devices,
  expectClose,
  loadGolden,
  onEveryDevice,
  randomNumbers,
  readGolden,
  tolerance,
  type TestRunner,
} from '../src/testing/index.js';

const row = (...data: number[]) => ({ shape: [data.length], data });

test('compareTensors finds the worst element and measures it against the largest', () => {
  const actual = { shape: [2, 3], data: [1, 2, 3, 4, 5.5, 6] };
  const expected = { shape: [2, 3], data: [1, 2, 3.25, 4, 5, -10] };
  const report = compareTensors(actual, { ...expected, data: [1, 2, 3.25, 4, 5, 10] }, { relative: 0.04 });
  expect(report).toMatchObject({
    ok: false,
    index: [1, 2],
    got: 6,
    expected: 10,
    difference: 4,
    relative: 0.4,
    failures: 2,
  });
  expect(compareTensors(actual, expected, { relative: 0.04 })).toMatchObject({
    index: [1, 2],
    difference: 16,
    relative: 1.6,
  });
  expect(report.message).toMatch(/worst at \[1, 2\] of \[2, 3\]: got 6, expected 10, off by 4\.00e\+0 = 4\.00e-1/);
  expect(report.message).toMatch(/2 of 6 elements are outside/);
});

test('a tolerance holds up to its bound and not beyond', () => {
  expect(compareTensors(row(100, 1.5), row(100, 1), { relative: 0.005 }).ok).toBe(true);
  expect(compareTensors(row(100, 1.5), row(100, 1), { relative: 0.0049 }).ok).toBe(false);
  expect(compareTensors(row(100, 1.5), row(100, 1), { relative: 0.005, magnitude: 99 }).ok).toBe(false);
  expect(compareTensors(row(0, 0), row(0, 0), { relative: 0 })).toMatchObject({ ok: true, difference: 0, relative: 0 });
  expect(compareTensors(row(1e-30), row(0), { relative: 1 }).ok).toBe(false);
  expect(compareTensors(row(0), row(-0), { relative: 0 }).ok).toBe(true);
});

test('NaN and infinities equal only themselves', () => {
  const loose = { relative: 10 };
  expect(compareTensors(row(NaN, Infinity, -Infinity, 1), row(NaN, Infinity, -Infinity, 1), { relative: 0 }).ok).toBe(
    true,
  );
  for (const [a, b] of [
    [NaN, 1],
    [1, NaN],
    [Infinity, 1],
    [1, Infinity],
    [Infinity, -Infinity],
    [NaN, Infinity],
  ] as const) {
    expect(compareTensors(row(a, 1), row(b, 1), loose), `${a} against ${b}`).toMatchObject({
      ok: false,
      failures: 1,
      index: [0],
    });
  }
});

test('shapes must agree, and be filled', () => {
  const report = compareTensors({ shape: [2, 1], data: [1, 2] }, { shape: [1, 2], data: [1, 2] }, { relative: 1 });
  expect(report).toMatchObject({ ok: false, message: 'shape [2, 1], expected [1, 2]' });
  expect(() => compareTensors({ shape: [3], data: [1] }, row(1), { relative: 1 })).toThrow(ShapeError);
  expect(compareTensors({ shape: [0, 2], data: [] }, { shape: [0, 2], data: [] }, { relative: 0 }).ok).toBe(true);
});

test('expectClose throws the report', () => {
  expect(() => expectClose(row(1, 2), row(1, 2), { relative: 0 })).not.toThrow();
  expect(() => expectClose(row(1, 3), row(1, 2), { relative: 0.1 }, 'labels')).toThrow(
    /^labels differ: worst at \[1\]/,
  );
});

test('the tolerance table is ordered: exact below arithmetic below sums, f64 below f32 below f16', () => {
  const kinds = ['exact', 'arithmetic', 'function', 'sum', 'norm', 'interpolation'] as const;
  for (const kind of kinds) {
    const [f64, f32, f16] = (['f64', 'f32', 'f16'] as const).map((p) => tolerance(kind, p).relative);
    expect(f64).toBeLessThanOrEqual(f32!);
    expect(f32).toBeLessThanOrEqual(f16!);
    expect(f32).toBeLessThanOrEqual(1e-5);
    expect(f64).toBeLessThanOrEqual(6e-8);
  }
  const column = kinds.slice(0, 4).map((kind) => tolerance(kind, 'f32').relative);
  expect(column).toEqual([...column].sort((a, b) => a - b));
});

test('layouts turn over and back', () => {
  const nchw = { shape: [2, 2, 1, 3], data: Float32Array.from({ length: 12 }, (_, i) => i) };
  const nhwc = channelsLast(nchw);
  expect(nhwc.shape).toEqual([2, 1, 3, 2]);
  expect([...nhwc.data]).toEqual([0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11]);
  expect(channelsFirst(nhwc)).toEqual(nchw);
  expect([...nchw.data]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  expect(() => channelsLast({ shape: [2], data: new Float32Array(2) })).toThrow(ShapeError);
});

test('randomNumbers are the same for a seed, in range and spread out', () => {
  expect([...randomNumbers(3, { seed: 7 })]).toEqual([...randomNumbers(3, { seed: 7 })]);
  expect([...randomNumbers(3, { seed: 7 })]).not.toEqual([...randomNumbers(3, { seed: 8 })]);
  const values = randomNumbers(10000, { low: 2, high: 4 });
  expect(values.every((v) => v >= 2 && v <= 4)).toBe(true);
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const variance = values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length;
  // Four standard errors of the mean, and of the variance, of uniform numbers.
  expect(Math.abs(mean - 3)).toBeLessThan(0.023);
  expect(Math.abs(variance - 1 / 3)).toBeLessThan(0.012);
});

const golden = new URL('fixtures/golden/ops.json', import.meta.url);

test('loadGolden reads cases from a URL and from a path', async () => {
  for (const file of [await loadGolden(golden), await loadGolden(golden.pathname)]) {
    expect(file.kind).toBe('ops');
    const item = file.case('conv2d_0');
    expect(item.params).toMatchObject({ stride: 2, groups: 1 });
    expect(item.names).toContain('g_w');
    expect(item.tensor('x')).toMatchObject({ shape: [2, 3, 11, 8], layout: 'NCHW' });
    expect(item.tensor('x').data).toBeInstanceOf(Float32Array);
    expect([item.has('b'), item.has('running_mean')]).toEqual([true, false]);
    const labels = file.case('cross_entropy_mmseg_0').tensor('lab').data;
    expect(labels).toBeInstanceOf(Int32Array);
    expect(labels).toContain(255);
  }
});

test('golden data that is not there is named', async () => {
  const file = await loadGolden(golden);
  expect(() => file.case('nothing')).toThrow(FormatError);
  expect(() => file.case('relu').tensor('w')).toThrow(/case 'relu' has no tensor 'w'; it has x, y/);
  const header = new TextEncoder().encode('{"a/x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}');
  const bytes = new Uint8Array(8 + header.length + 4);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, 8);
  const json = (shape: number[]) =>
    JSON.stringify({ kind: 'k', file: 'f', cases: [{ id: 'a', tensors: { x: { shape, dtype: 'F32' } } }] });
  expect([...(await readGolden(json([1]), bytesSource(bytes))).case('a').tensor('x').data]).toEqual([0]);
  await expect(readGolden(json([2]), bytesSource(bytes))).rejects.toThrow(/no tensor 'a\/x' of shape \[2\]/);
});

const absent = { title: 'absent', name: 'no-such-device' as DeviceName, options: {} };
const present = { title: 'reference', name: 'reference', options: {} } as const;

test('a device that cannot be made comes back as the reason', async () => {
  const [first, second] = await devices([present, absent]);
  expect(first!.device?.name).toBe('reference');
  expect(second!.device).toBeUndefined();
  expect(second!.reason).toMatch(/'no-such-device' is not available/);
  first!.device?.dispose();
});

test('a required device that cannot be made is an error', async () => {
  vi.stubEnv('II_REQUIRE_DEVICES', 'reference, no-such-device');
  await expect(devices([present, absent])).rejects.toThrow(DeviceUnavailableError);
  vi.stubEnv('II_REQUIRE_DEVICES', 'reference');
  expect((await devices([absent]))[0]!.device).toBeUndefined();
  vi.unstubAllEnvs();
});

test('onEveryDevice declares a group per device, and a skipped test with the reason for an absent one', async () => {
  const log: string[] = [];
  const runner: TestRunner = {
    describe: (title, body) => {
      log.push(`group ${title}`);
      body();
    },
    test: (title, body) => {
      log.push(`test ${title}`);
      body({ skip: (reason) => log.push(`skip ${reason}`) });
    },
    afterAll: (body) => {
      log.push('after');
      body();
    },
  };
  await onEveryDevice(runner, (device) => log.push(`body ${device.name}`), [present, absent]);
  expect(log.slice(0, 5)).toEqual(['group reference', 'after', 'body reference', 'group absent', 'test is available']);
  expect(log[5]).toMatch(/^skip device 'no-such-device' is not available/);
});

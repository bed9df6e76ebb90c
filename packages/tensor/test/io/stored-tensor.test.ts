import { describe, expect, it } from 'vitest';
import {
  blobSource,
  bytesSource,
  decodeElements,
  readElements,
  storedElementCount,
  storedTensor,
  toFloat32,
} from '../../src/io/index.js';
import { DTypeError, FormatError, ShapeError } from '../../src/errors.js';

describe('stored tensors', () => {
  it('decode each element type from little-endian bytes', () => {
    const bytes = Uint8Array.of(0x00, 0x00, 0x80, 0x3f, 0xff, 0xff, 0xff, 0xff);
    expect([...decodeElements('f32', bytes.subarray(0, 4))]).toEqual([1]);
    expect([...decodeElements('i64', bytes)]).toEqual([-(2n ** 32n) + 0x3f800000n]);
    expect([...decodeElements('u64', bytes)]).toEqual([2n ** 64n - 2n ** 32n + 0x3f800000n]);
    expect([...decodeElements('i16', bytes)]).toEqual([0, 0x3f80, -1, -1]);
    expect([...decodeElements('u16', bytes)]).toEqual([0, 0x3f80, 0xffff, 0xffff]);
    expect([...decodeElements('i8', bytes.subarray(2, 5))]).toEqual([-128, 0x3f, -1]);
    expect([...decodeElements('u32', bytes)]).toEqual([0x3f800000, 0xffffffff]);
    expect([...decodeElements('bf16', bytes.subarray(2, 4))]).toEqual([1]);
    expect([...decodeElements('f16', Uint8Array.of(0x00, 0xc1))]).toEqual([-2.5]);
  });

  it('copies only what is not aligned', () => {
    const buffer = new Uint8Array(12).fill(7);
    expect(decodeElements('f32', buffer.subarray(4, 8)).buffer).toBe(buffer.buffer);
    const unaligned = decodeElements('f32', buffer.subarray(3, 7));
    expect(unaligned.buffer).not.toBe(buffer.buffer);
    expect(unaligned[0]).toBe(decodeElements('f32', buffer.subarray(4, 8))[0]);
  });

  it('become f32, rounding what f32 cannot hold', async () => {
    expect([...(await toFloat32(storedTensor(BigInt64Array.of(-5n, 2n ** 24n + 1n))))]).toEqual([-5, 2 ** 24]);
    expect([...(await toFloat32(storedTensor(Float64Array.of(0.1, 1e300))))]).toEqual([Math.fround(0.1), Infinity]);
    expect([...(await toFloat32(storedTensor(Uint8Array.of(0, 1), [2], 'bool')))]).toEqual([0, 1]);
    expect([...(await toFloat32(storedTensor(Uint16Array.of(0x3c00, 0x0001), [2, 1], 'f16')))]).toEqual([1, 2 ** -24]);
    expect([...(await readElements(storedTensor(Uint16Array.of(0x3c00))))]).toEqual([0x3c00]);
  });

  it('refuse a wrong shape, dtype or length', async () => {
    expect(() => storedTensor(new Float32Array(6), [2, 2])).toThrow(
      new ShapeError('shape [2, 2] does not have the 6 elements of its data'),
    );
    expect(() => storedTensor(new Float32Array(6), [6], 'f16')).toThrow(DTypeError);
    expect(() => storedElementCount([3, -1])).toThrow(/whole sizes of at least 0, not \[3, -1\]/);
    expect(() => storedElementCount([2 ** 31, 2 ** 31])).toThrow(/more than 2\^53 elements/);
    expect(() => storedElementCount([2 ** 31, 2 ** 31, 0])).toThrow(ShapeError);
    expect(storedElementCount([5, 0, 3])).toBe(0);
    expect(storedElementCount([])).toBe(1);
    expect(() => decodeElements('f32', new Uint8Array(6))).toThrow(FormatError);
    const lying = { dtype: 'f32' as const, shape: [3], bytes: async () => new Uint8Array(8) };
    await expect(toFloat32(lying)).rejects.toThrow(/\[3\] has 12 bytes, but its source gave 8/);
  });
});

describe('byte sources', () => {
  const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6);
  const sources = [
    bytesSource(bytes.subarray(1), 'sub.bin'),
    bytesSource(bytes.slice(1).buffer, 'sub.bin'),
    blobSource(new File([bytes.subarray(1)], 'sub.bin')),
    blobSource(new Blob([bytes.subarray(1)]), 'sub.bin'),
  ];

  it('read exactly the range that was asked for', async () => {
    for (const source of sources) {
      expect(source.name).toBe('sub.bin');
      expect(source.size).toBe(5);
      expect([...(await source.read(1, 3))]).toEqual([3, 4, 5]);
      expect([...(await source.read(5, 0))]).toEqual([]);
    }
  });

  it('refuse ranges outside, and an aborted signal', async () => {
    for (const source of sources) {
      await expect(source.read(3, 3)).rejects.toThrow(/'sub.bin' has 5 bytes, but 3 bytes at offset 3/);
      await expect(source.read(-1, 2)).rejects.toThrow(FormatError);
      await expect(source.read(0.5, 1)).rejects.toThrow(FormatError);
      await expect(source.read(2 ** 53, 1)).rejects.toThrow(FormatError);
      await expect(source.read(0, 1, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
    }
  });
});

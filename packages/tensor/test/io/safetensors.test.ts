import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesSource,
  encodeSafetensors,
  readElements,
  readSafetensors,
  safetensorsChunks,
  storedElementBytes,
  storedElementCount,
  storedTensor,
  type ByteSource,
  type StateDict,
  type StoredDType,
  type StoredTensor,
} from '../../src/io/index.js';
import { FormatError, IIError } from '../../src/errors.js';

/** A file from a header's text and `length` bytes of data, each byte its own position. */
function file(header: string, length: number): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  for (let i = 0; i < length; i++) bytes[8 + json.length + i] = i;
  return bytes;
}

const open = (header: string, length: number) => readSafetensors(bytesSource(file(header, length), 'f.safetensors'));

const dtypes: StoredDType[] = [
  'f64',
  'f32',
  'f16',
  'bf16',
  'i64',
  'i32',
  'i16',
  'i8',
  'u64',
  'u32',
  'u16',
  'u8',
  'bool',
];

const tensorArbitrary: fc.Arbitrary<StoredTensor> = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }))
  .chain(([dtype, shape]) => {
    const length = storedElementCount(shape) * storedElementBytes(dtype);
    return fc
      .uint8Array({ minLength: length, maxLength: length })
      .map((bytes) => ({ dtype, shape, bytes: async () => bytes }));
  });

describe('readSafetensors', () => {
  it('reads tensors in the order of the header, lazily', async () => {
    const bytes = file(
      '{"10":{"dtype":"I16","shape":[2],"data_offsets":[4,8]},"__metadata__":{"k":"v"},"2":{"dtype":"U8","shape":[2,2],"data_offsets":[0,4]}}   ',
      8,
    );
    const reads: number[] = [];
    const inner = bytesSource(bytes);
    const source: ByteSource = { ...inner, read: (offset, length) => (reads.push(length), inner.read(offset, length)) };
    const { tensors, metadata } = await readSafetensors(source);
    expect(reads).toEqual([8, bytes.length - 16]);
    expect([...tensors.keys()]).toEqual(['10', '2']);
    expect({ ...metadata }).toEqual({ k: 'v' });
    expect([...(await readElements(tensors.get('10')!))]).toEqual([0x0504, 0x0706]);
    expect([...(await readElements(tensors.get('2')!))]).toEqual([0, 1, 2, 3]);
    expect(reads.slice(2)).toEqual([4, 4]);
  });

  const cases: ReadonlyArray<readonly [string, string, number, RegExp]> = [
    ['a cut file', '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 7, /'w' ends at byte 8 of 7.*cut/],
    ['trailing data', '{"w":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}', 5, /1 bytes after the last tensor/],
    ['a gap', '{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}', 2, /1 bytes before tensor 'w'/],
    [
      'overlap',
      '{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}',
      4,
      /'b' overlaps 'a'/,
    ],
    [
      'a size mismatch',
      '{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}',
      8,
      /'w' takes 8 bytes, but F32 of shape \[3\] takes 12/,
    ],
    [
      'an overflowing product',
      '{"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}',
      0,
      /'w' is impossible.*2\^53/,
    ],
    [
      'a negative size',
      '{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}',
      4,
      /'w' has no shape of whole numbers/,
    ],
    ['a fractional size', '{"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,6]}}', 6, /'w' has no shape/],
    [
      'offsets in the wrong order',
      '{"w":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}',
      1,
      /'w' has no data_offsets/,
    ],
    ['three offsets', '{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}', 1, /'w' has no data_offsets/],
    [
      'an unknown dtype',
      '{"w":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}',
      1,
      /dtype "F8_E4M3"; known are F64, F32/,
    ],
    [
      'a name used twice',
      '{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
      2,
      /the name "w" is used twice/,
    ],
    ['no object', '[1]', 0, /header is not a JSON object/],
    ['no JSON', '{"w":', 0, /header is not JSON.*expected a value at character 5/],
    ['text after the header', '{} x', 0, /more text after the value/],
    ['deep nesting', '['.repeat(100_000), 0, /nested deeper than 16/],
    ['a string without an end', '{"w\\', 0, /a string has no end/],
    ['metadata that is not text', '{"__metadata__":{"k":1}}', 0, /metadata 'k' is not a string/],
  ];
  it.each(cases)('refuses %s', async (_, header, length, message) => {
    await expect(open(header, length)).rejects.toThrow(message);
    await expect(open(header, length)).rejects.toThrow(FormatError);
  });

  it('does not believe the header length', async () => {
    const bytes = file('{}', 0);
    new DataView(bytes.buffer).setBigUint64(0, 2n ** 63n, true);
    await expect(readSafetensors(bytesSource(bytes))).rejects.toThrow(
      /claims 9223372036854775808 bytes, but the file has 10/,
    );
    await expect(readSafetensors(bytesSource(new Uint8Array(3)))).rejects.toThrow(/has 3 bytes/);
  });

  it('either opens or throws an IIError after any byte is changed or the end is cut', async () => {
    const good = await encodeSafetensors(
      new Map([
        ['a.weight', storedTensor(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3])],
        ['b', storedTensor(BigInt64Array.of(7n), [])],
      ]),
      { metadata: { format: 'pt' } },
    );
    const attempt = async (bytes: Uint8Array) => {
      try {
        for (const tensor of (await readSafetensors(bytesSource(bytes))).tensors.values()) await readElements(tensor);
      } catch (error) {
        expect(error).toBeInstanceOf(IIError);
      }
    };
    for (let i = 0; i < good.length; i++) {
      for (const value of [0, 0x22, 0x7d, 0x39, 0xff]) {
        const bytes = good.slice();
        bytes[i] = value;
        await attempt(bytes);
      }
      await attempt(good.subarray(0, i));
    }
  });
});

describe('writeSafetensors', () => {
  it('round-trips any state dict, in order, aligned, with its metadata', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(fc.string({ unit: 'binary' }), tensorArbitrary), {
          maxLength: 8,
          selector: ([name]) => name,
        }),
        fc.dictionary(fc.string(), fc.string(), { maxKeys: 3 }),
        async (entries, metadata) => {
          const original: StateDict = new Map(entries.filter(([name]) => name !== '__metadata__'));
          const bytes = await encodeSafetensors(original, { metadata });
          expect((8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))) % 8).toBe(0);
          const back = await readSafetensors(bytesSource(bytes));
          expect([...back.tensors.keys()]).toEqual([...original.keys()]);
          expect({ ...back.metadata }).toEqual({ ...metadata });
          for (const [name, tensor] of back.tensors) {
            expect(tensor.dtype).toBe(original.get(name)!.dtype);
            expect(tensor.shape).toEqual(original.get(name)!.shape);
            const data = await tensor.bytes();
            expect(data).toEqual(await original.get(name)!.bytes());
            if (data.length > 0) expect(data.byteOffset % storedElementBytes(tensor.dtype)).toBe(0);
          }
          expect(await encodeSafetensors(original, { metadata })).toEqual(bytes);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('gives the header, then one chunk per tensor, widest elements first', async () => {
    const tensors: StateDict = new Map([
      ['byte', storedTensor(Uint8Array.of(9), [])],
      ['float', storedTensor(Float32Array.of(1.5))],
      ['long', storedTensor(BigInt64Array.of(-1n))],
    ]);
    const chunks: Uint8Array[] = [];
    for await (const chunk of safetensorsChunks(tensors)) chunks.push(chunk);
    const header = new TextDecoder().decode(chunks[0]!.subarray(8)).trimEnd();
    expect(header).toBe(
      '{"byte":{"dtype":"U8","shape":[],"data_offsets":[12,13]},"float":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"long":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}',
    );
    expect(chunks.slice(1).map((chunk) => [...chunk])).toEqual([Array(8).fill(255), [0, 0, 0xc0, 0x3f], [9]]);
  });

  it('converts floating-point tensors to f16 or f32 and leaves the others', async () => {
    const tensors: StateDict = new Map([
      ['w', storedTensor(Float32Array.of(1, -2.5, 0.1, NaN, Infinity))],
      ['d', storedTensor(Float64Array.of(0.25))],
      ['n', storedTensor(BigInt64Array.of(160000n), [])],
    ]);
    const half = (await readSafetensors(bytesSource(await encodeSafetensors(tensors, { dtype: 'f16' })))).tensors;
    expect([...half.values()].map((tensor) => tensor.dtype)).toEqual(['f16', 'f16', 'i64']);
    expect([...(await readElements(half.get('w')!))]).toEqual([1, -2.5, 0.0999755859375, NaN, Infinity]);
    expect([...(await readElements(half.get('d')!))]).toEqual([0.25]);
    const chosen = await encodeSafetensors(half, { dtype: (name) => (name === 'w' ? 'f32' : undefined) });
    const back = (await readSafetensors(bytesSource(chosen))).tensors;
    expect([...back.values()].map((tensor) => tensor.dtype)).toEqual(['f32', 'f16', 'i64']);
    expect([...(await readElements(back.get('w')!))]).toEqual([1, -2.5, 0.0999755859375, NaN, Infinity]);
  });

  it('refuses to turn a finite number into an infinity', async () => {
    const tensors: StateDict = new Map([['bn.running_var', storedTensor(Float32Array.of(1, 65520))]]);
    await expect(encodeSafetensors(tensors, { dtype: 'f16' })).rejects.toThrow(
      /'bn.running_var' holds 65520 at index 1, beyond the range of f16/,
    );
    const wide: StateDict = new Map([['d', storedTensor(Float64Array.of(1e300))]]);
    await expect(encodeSafetensors(wide, { dtype: 'f16' })).rejects.toThrow(/holds 1e\+300/);
    await expect(encodeSafetensors(wide, { dtype: 'f32' })).rejects.toThrow(/holds 1e\+300.*range of f32/);
  });

  it('refuses the name that the format keeps for itself, and stops when aborted', async () => {
    const tensors: StateDict = new Map([['__metadata__', storedTensor(Uint8Array.of(1))]]);
    await expect(encodeSafetensors(tensors)).rejects.toThrow(/__metadata__/);
    const one: StateDict = new Map([['w', storedTensor(Uint8Array.of(1))]]);
    await expect(encodeSafetensors(one, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
  });
});

import { bytesSource, FormatError, readElements } from '@ii/tensor';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint.js';
import { readPth } from '../../src/pth/index.js';
import {
  call,
  checkpoint,
  countingSource,
  countingStorage,
  type CountingSource,
  dict,
  global,
  integer,
  legacyCheckpoint,
  no,
  none,
  orderedDict,
  pickle,
  storage,
  tensor,
  text,
  tuple,
  yes,
  zipSource,
  type ZipEntry,
} from './builder.js';

const small = dict([text('w'), tensor(storage('0', 'IntStorage', 6), [2, 3], [3, 1])]);
const smallData = new Uint8Array(Int32Array.of(1, 2, 3, 4, 5, 6).buffer);
const elements = async (source: CountingSource, name: string) => [
  ...(await readElements((await readPth(source)).tensors.get(name)!)),
];

describe('zip checkpoints', () => {
  it('of more than 4 GB are read by random access', async () => {
    // 1.2e9 elements of 4 bytes: data/1 begins beyond 4 GB and needs zip64, and so does the directory.
    const length = 1_200_000_000;
    const source = checkpoint(
      dict(
        [text('tail'), tensor(storage('0', 'IntStorage', length), [2, 2], [2, 1], length - 4)],
        [text('column'), tensor(storage('0', 'IntStorage', length), [3], [100], 1_100_000_000)],
        [text('after'), tensor(storage('1', 'IntStorage', 5), [5], [1])],
        [text('wide'), tensor(storage('2', 'LongStorage', length / 2), [1], [1], length / 2 - 1)],
      ),
      { 0: countingStorage(length), 1: countingStorage(5), 2: countingStorage(length) },
    );
    expect(source.size).toBeGreaterThan(9.6e9);
    const { tensors } = await readPth(source);
    const opening = source.bytesRead;
    expect(opening).toBeLessThan(150_000);
    expect([...(await readElements(tensors.get('tail')!))]).toEqual([-4, -3, -2, -1].map((i) => length + i));
    expect([...(await readElements(tensors.get('column')!))]).toEqual([0, 100, 200].map((i) => 1_100_000_000 + i));
    expect([...(await readElements(tensors.get('after')!))]).toEqual([0, 1, 2, 3, 4]);
    const last = BigInt(length) - 1n;
    expect([...(await readElements(tensors.get('wide')!))]).toEqual([(last << 32n) | (last - 1n)]);
    // Three local headers of 30 bytes, and the elements that the views cover.
    expect(source.bytesRead - opening).toBe(3 * 30 + 16 + 201 * 4 + 20 + 8);
  });

  it('are opened by reading the directory and the pickle, and one tensor by reading its bytes', async () => {
    const count = 200;
    const rows = Array.from({ length: count }, (_, i) => {
      const shape = [1000, 250];
      return [text(`layer${i}.weight`), tensor(storage(`${i}`, 'FloatStorage', 250_000), shape, [250, 1])] as const;
    });
    const storages = Object.fromEntries(rows.map((_, i) => [`${i}`, countingStorage(250_000)]));
    const source = checkpoint(dict(...rows), storages);
    expect(source.size).toBeGreaterThan(200e6);
    const { tensors } = await openCheckpoint(source);
    const opening = source.bytesRead;
    const pickleBytes = pickle(dict(...rows)).length;
    // The end of the file (64 KB), the directory, the pickle with its header, the first bytes.
    expect(opening).toBeLessThan(66_000 + count * 100 + pickleBytes + 1000);
    await tensors.get('layer77.weight')!.bytes();
    expect(source.reads.slice(-2)).toEqual([30, 1_000_000]);
    expect(source.bytesRead - opening).toBe(1_000_030);
    await tensors.get('layer77.weight')!.bytes();
    expect(source.bytesRead - opening).toBe(2_000_030);
  });

  it('may have deflated records', async () => {
    const source = checkpoint(small, { 0: smallData }, true);
    expect(await elements(source, 'w')).toEqual([1, 2, 3, 4, 5, 6]);
    const large = new Int32Array(300_000).map((_, i) => i >> 4);
    const view = dict([text('w'), tensor(storage('0', 'IntStorage', 300_000), [2], [1], 299_998)]);
    const deflated = checkpoint(view, { 0: new Uint8Array(large.buffer) }, true);
    expect(deflated.size).toBeLessThan(100_000);
    expect(await elements(deflated, 'w')).toEqual([large[299_998], large[299_999]]);
  });

  it('with a deflated record of another length than claimed are refused', async () => {
    const entries = (claimedSize: number): ZipEntry[] => [
      { name: 'a/data.pkl', data: pickle(small) },
      { name: 'a/data/0', data: smallData, deflate: true, claimedSize },
    ];
    for (const claimed of [28, 1000]) {
      await expect(elements(zipSource(entries(claimed)), 'w')).rejects.toThrow(FormatError);
    }
    await expect(readPth(zipSource(entries(20)))).rejects.toThrow(/record data\/0 has 20 bytes, shorter/);
    await expect(readPth(zipSource(entries(1e6)))).rejects.toThrow(/'a\/data\/0' cannot have 1000000 bytes in \d+/);
  });

  it('may have any root folder, or none', async () => {
    for (const root of ['archive/', 'a folder/', '', 'a_root_of_21_letters_/', 'weights.v2/']) {
      const source = zipSource([
        { name: `${root}data.pkl`, data: pickle(small) },
        { name: `${root}byteorder`, data: new TextEncoder().encode('little') },
        { name: `${root}.data/serialization_id`, data: new Uint8Array(10) },
        { name: `${root}data/0`, data: smallData },
      ]);
      expect(await elements(source, 'w')).toEqual([1, 2, 3, 4, 5, 6]);
    }
  });

  it.each<readonly [string, readonly ZipEntry[], RegExp]>([
    [
      'a big-endian file',
      [
        { name: 'a/data.pkl', data: pickle(small) },
        { name: 'a/byteorder', data: new TextEncoder().encode('big') },
        { name: 'a/data/0', data: smallData },
      ],
      /byte order is 'big'; only little-endian/,
    ],
    [
      'a TorchScript program',
      [
        { name: 'a/data.pkl', data: pickle(small) },
        { name: 'a/constants.pkl', data: pickle(small) },
      ],
      /is a TorchScript program.*state_dict/,
    ],
    [
      'two pickles',
      [
        { name: 'a/data.pkl', data: pickle(small) },
        { name: 'b/data.pkl', data: pickle(small) },
      ],
      /2 records data\.pkl/,
    ],
    [
      'a record twice',
      [
        { name: 'a/data.pkl', data: pickle(small) },
        { name: 'a/data/0', data: smallData },
        { name: 'a/data/0', data: smallData },
      ],
      /two records named 'a\/data\/0'/,
    ],
    [
      'an archive of something else',
      [{ name: 'arr_0.npy', data: smallData }],
      /without data\.pkl.*it holds arr_0\.npy/,
    ],
    [
      'a dict without tensors',
      [{ name: 'a/data.pkl', data: pickle(dict([text('epoch'), text('3')])) }],
      /no tensors; .* the text "epoch"/,
    ],
    [
      'text instead of a dict',
      [{ name: 'a/data.pkl', data: pickle(text('hello')) }],
      /holds the text "hello" instead of a dict/,
    ],
  ])('refuses %s', async (_, entries, message) => {
    await expect(readPth(zipSource(entries))).rejects.toThrow(message);
  });

  it.each<readonly [string, Parameters<typeof tensor>, RegExp]>([
    ['more elements than 2^53', [storage('0', 'IntStorage', 6), [2n ** 62n], [0]], /has impossible numbers/],
    [
      'a huge repetition',
      [storage('0', 'IntStorage', 6), [2 ** 40], [0]],
      /repeats its elements to 4398046511104 bytes/,
    ],
    ['a last element past the end', [storage('0', 'IntStorage', 6), [2, 3], [4, 1]], /reaches element 6, past the end/],
    ['a stride beyond 2^53', [storage('0', 'IntStorage', 6), [2], [2n ** 70n]], /impossible numbers/],
    ['fewer strides than sizes', [storage('0', 'IntStorage', 6), [2, 3], [1]], /not one stride per dimension/],
    [
      'too many dimensions',
      [storage('0', 'IntStorage', 6), Array(65).fill(1), Array(65).fill(1)],
      /more than 64 dimensions/,
    ],
    ['an empty view past the end', [storage('0', 'IntStorage', 6), [0], [1], 7], /reaches element 7/],
    [
      'a storage longer than its record',
      [storage('0', 'IntStorage', 7), [1], [1]],
      /24 bytes, shorter than its storage of 7/,
    ],
    ['a negative storage', [storage('0', 'IntStorage', -1), [0], [1]], /reference to a list of 5 instead of a storage/],
    ['an impossible storage', [storage('0', 'IntStorage', 2n ** 62n), [0], [1]], /instead of a storage/],
  ])('refuses a tensor with %s', async (_, [on, shape, strides, offset], message) => {
    const source = checkpoint(dict([text('w'), tensor(on, shape, strides, offset)]), { 0: smallData });
    await expect(readPth(source)).rejects.toThrow(message);
    await expect(readPth(source)).rejects.toThrow(FormatError);
  });

  it('may hold parameters, tensors with attributes, and untyped storages', async () => {
    const on = storage('0', 'IntStorage', 6);
    const plain = tensor(on, [2], [1], 2);
    const rebuild = global('torch._utils', '_rebuild_tensor_v2');
    const args = tuple(on, integer(3), tuple(integer(2)), tuple(integer(1)), no, orderedDict);
    const untyped = storage('0', 'UntypedStorage', 24);
    const u16 = [integer(0), tuple(integer(3)), tuple(integer(2)), no, orderedDict, global('torch', 'uint16')];
    const source = checkpoint(
      dict(
        [
          text('parameter'),
          call(global('torch._utils', '_rebuild_parameter_with_state'), plain, yes, orderedDict, none),
        ],
        [
          text('attributes'),
          call(global('torch._tensor', '_rebuild_from_type_v2'), rebuild, global('torch', 'Tensor'), args, dict()),
        ],
        [text('untyped'), call(global('torch._utils', '_rebuild_tensor_v3'), untyped, ...u16)],
        [text('_extra_state'), none],
      ),
      { 0: smallData },
    );
    const { tensors, skipped } = await readPth(source);
    expect(skipped).toEqual(['_extra_state']);
    expect([...(await readElements(tensors.get('parameter')!))]).toEqual([3, 4]);
    expect([...(await readElements(tensors.get('attributes')!))]).toEqual([4, 5]);
    expect(tensors.get('untyped')!.dtype).toBe('u16');
    // Every other half of 1, 2, 3: the lower ones.
    expect([...(await readElements(tensors.get('untyped')!))]).toEqual([1, 2, 3]);
  });

  it('repeat elements of a storage a little', async () => {
    const source = checkpoint(dict([text('w'), tensor(storage('0', 'IntStorage', 6), [2, 2, 2], [0, 3, 0], 1)]), {
      0: smallData,
    });
    expect(await elements(source, 'w')).toEqual([2, 2, 5, 5, 2, 2, 5, 5]);
  });

  it('stop opening when aborted', async () => {
    const source = checkpoint(small, { 0: smallData });
    await expect(readPth(source, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow('stop');
    const controller = new AbortController();
    const slow = {
      ...bytesSource(await source.read(0, source.size), 'slow.pth'),
      read: (offset: number, length: number, signal?: AbortSignal) => {
        if (offset > 0) controller.abort(new Error('enough'));
        return source.read(offset, length, signal);
      },
    };
    await expect(readPth(slow, { signal: controller.signal })).rejects.toThrow('enough');
  });
});

describe('legacy checkpoints', () => {
  it('of more than 4 GB are read by random access', async () => {
    const length = 1_200_000_000;
    const source = legacyCheckpoint(
      dict(
        [text('tail'), tensor(storage('77', 'IntStorage', length), [4], [1], length - 4)],
        [text('after'), tensor(storage('88', 'IntStorage', 5), [5], [1])],
      ),
      { 77: countingStorage(length), 88: countingStorage(5) },
      4,
    );
    const { tensors, format } = await readPth(source);
    expect(format).toBe('legacy');
    const opening = source.bytesRead;
    expect(opening).toBeLessThan(70_000);
    expect([...(await readElements(tensors.get('tail')!))]).toEqual([-4, -3, -2, -1].map((i) => length + i));
    expect([...(await readElements(tensors.get('after')!))]).toEqual([0, 1, 2, 3, 4]);
    expect(source.bytesRead - opening).toBe(16 + 20);
  });

  it('may have storages that are views of others', async () => {
    const view = tuple(text('view'), integer(10), integer(4));
    const on = storage('1', 'IntStorage', 20, view);
    const source = legacyCheckpoint(dict([text('w'), tensor(on, [2], [2], 1)]), { 1: countingStorage(20) }, 4);
    expect(await elements(source, 'w')).toEqual([11, 13]);
    const past = legacyCheckpoint(dict([text('w'), tensor(on, [2], [3], 1)]), { 1: countingStorage(20) }, 4);
    await expect(readPth(past)).rejects.toThrow(/reaches element 4, past the end of its storage/);
  });

  it('may have pickles longer than the first read', async () => {
    const name = 'n'.repeat(300_000);
    const source = legacyCheckpoint(
      dict([text(name), tensor(storage('1', 'IntStorage', 3), [3], [1])]),
      { 1: countingStorage(3) },
      4,
    );
    expect(await elements(source, name)).toEqual([0, 1, 2]);
  });

  it('refuse storages that the file cannot hold or that are described differently', async () => {
    const huge = dict([text('w'), tensor(storage('1', 'IntStorage', 2 ** 40), [1], [1])]);
    await expect(readPth(legacyCheckpoint(huge, { 1: countingStorage(3) }, 4))).rejects.toThrow(
      /claims 1099511627776 i32 elements, more than the file's/,
    );
    const twice = dict(
      [text('a'), tensor(storage('1', 'IntStorage', 3), [1], [1])],
      [text('b'), tensor(storage('1', 'LongStorage', 3), [1], [1])],
    );
    await expect(readPth(legacyCheckpoint(twice, { 1: countingStorage(3) }, 4))).rejects.toThrow(
      /storage 1 is described twice/,
    );
    const one = dict([text('a'), tensor(storage('1', 'IntStorage', 3), [1], [1])]);
    await expect(readPth(legacyCheckpoint(one, {}, 4))).rejects.toThrow(/storage 1 of a tensor is missing/);
    await expect(readPth(legacyCheckpoint(one, { 1: countingStorage(4) }, 4))).rejects.toThrow(
      /has 4 elements in the file, but its tensors say 3/,
    );
    await expect(readPth(legacyCheckpoint(one, { 1: countingStorage(3), 2: countingStorage(3) }, 4))).rejects.toThrow(
      /names the text "2" without need/,
    );
  });

  it('are told from other files', async () => {
    await expect(readPth(countingSource(pickle(small)))).rejects.toThrow(
      /refers to a storage before any can exist|magic number/,
    );
    await expect(readPth(countingSource(pickle(text('x'))))).rejects.toThrow(/magic number is the text "x"/);
    await expect(readPth(countingSource(Uint8Array.of(0x80)))).rejects.toThrow(/pickle ends early/);
  });
});

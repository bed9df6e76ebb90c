/** Hand-made checkpoints: pickles from opcodes, and zip archives whose records may be larger than memory. */
import { crc32, deflateRawSync } from 'node:zlib';
import { checkByteRange, type ByteSource } from '@ii/tensor';

type Bytes = readonly number[];

/** Little-endian bytes of an unsigned integer. */
function le(value: number | bigint, width: number): Bytes {
  return Array.from({ length: width }, (_, index) => Number((BigInt(value) >> BigInt(8 * index)) & 255n));
}

const ascii = (text: string): Bytes => [...new TextEncoder().encode(text)];

// Each of these is a run of opcodes that leaves one value on the stack.
export const text = (value: string): Bytes => [0x58, ...le(ascii(value).length, 4), ...ascii(value)];
export const integer = (value: number | bigint): Bytes => [0x8a, 9, ...le(BigInt.asUintN(72, BigInt(value)), 9)];
export const none: Bytes = [0x4e];
export const yes: Bytes = [0x88];
export const no: Bytes = [0x89];
export const tuple = (...items: Bytes[]): Bytes => [0x28, ...items.flat(), 0x74];
export const list = (...items: Bytes[]): Bytes => [0x5d, 0x28, ...items.flat(), 0x65];
export const dict = (...items: Array<readonly [Bytes, Bytes]>): Bytes => [0x7d, 0x28, ...items.flat(2), 0x75];
export const global = (module: string, name: string): Bytes => [0x63, ...ascii(`${module}\n${name}\n`)];
export const call = (callable: Bytes, ...args: Bytes[]): Bytes => [...callable, ...tuple(...args), 0x52];
export const construct = (type: Bytes, ...args: Bytes[]): Bytes => [...type, ...tuple(...args), 0x81];
export const build = (target: Bytes, state: Bytes): Bytes => [...target, ...state, 0x62];

export const storage = (key: string, type: string, length: number | bigint, ...more: Bytes[]): Bytes => [
  ...tuple(text('storage'), global('torch', type), text(key), text('cpu'), integer(length), ...more),
  0x51,
];

export const orderedDict = call(global('collections', 'OrderedDict'));

export function tensor(
  on: Bytes,
  shape: readonly (number | bigint)[],
  strides: readonly (number | bigint)[],
  offset: number | bigint = 0,
): Bytes {
  const sizes = tuple(...shape.map(integer));
  const steps = tuple(...strides.map(integer));
  return call(global('torch._utils', '_rebuild_tensor_v2'), on, integer(offset), sizes, steps, no, orderedDict);
}

/** A whole pickle of `value`. */
export const pickle = (value: Bytes): Uint8Array => Uint8Array.from([0x80, 2, ...value, 0x2e]);

/** Content that exists only when it is read. */
export interface Synthetic {
  readonly size: number;
  read(offset: number, length: number): Uint8Array;
}

/** Elements of an i32 storage, each its own index. */
export function countingStorage(length: number): Synthetic {
  return {
    size: length * 4,
    read(offset, size) {
      const first = Math.floor(offset / 4);
      const elements = new Int32Array(Math.ceil((offset + size) / 4) - first).map((_, index) => first + index);
      return new Uint8Array(elements.buffer, offset - first * 4, size);
    },
  };
}

export interface ZipEntry {
  readonly name: string;
  readonly data: Uint8Array | Synthetic;
  readonly deflate?: boolean;
  /** Lies about the length of the content. */
  readonly claimedSize?: number;
}

const present = (bytes: Uint8Array): Synthetic => ({
  size: bytes.length,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

/** A zip archive as a source that counts what is read of it; records and offsets of 4 GB and more use zip64.
 * As PyTorch does, it writes the zip64 end record always. */
export function zipSource(entries: readonly ZipEntry[], name = 'made.pth'): CountingSource {
  const parts: Synthetic[] = [];
  const directory: number[] = [];
  let position = 0;
  const emit = (part: Synthetic) => {
    parts.push(part);
    position += part.size;
  };
  for (const { name: path, data, deflate, claimedSize } of entries) {
    const stored = deflate && data instanceof Uint8Array ? new Uint8Array(deflateRawSync(data)) : data;
    const content = stored instanceof Uint8Array ? present(stored) : stored;
    const method = deflate ? 8 : 0;
    const checksum = data instanceof Uint8Array ? crc32(data) : 0;
    const size = claimedSize ?? (data instanceof Uint8Array ? data.length : data.size);
    const file = ascii(path);
    const wide = size >= 0xffffffff || content.size >= 0xffffffff || position >= 0xffffffff;
    const sizes = wide ? le(0xffffffffffffffffn, 8) : [...le(content.size, 4), ...le(size, 4)];
    const common = [...le(45, 2), ...le(0, 2), ...le(method, 2), ...le(0, 4), ...le(checksum, 4), ...sizes];
    const localExtra = wide ? [...le(1, 2), ...le(16, 2), ...le(size, 8), ...le(content.size, 8)] : [];
    const extra = wide ? [...le(1, 2), ...le(24, 2), ...le(size, 8), ...le(content.size, 8), ...le(position, 8)] : [];
    directory.push(
      ...[...le(0x02014b50, 4), ...le(45, 2), ...common, ...le(file.length, 2), ...le(extra.length, 2), ...le(0, 10)],
      ...[...le(wide ? 0xffffffff : position, 4), ...file, ...extra],
    );
    emit(
      present(
        Uint8Array.from([
          ...[...le(0x04034b50, 4), ...common, ...le(file.length, 2), ...le(localExtra.length, 2)],
          ...[...file, ...localExtra],
        ]),
      ),
    );
    emit(content);
  }
  const start = position;
  const count = entries.length;
  const wideEnd = [
    ...[...le(0x06064b50, 4), ...le(44, 8), ...le(45, 2), ...le(45, 2), ...le(0, 8), ...le(count, 8), ...le(count, 8)],
    ...[...le(directory.length, 8), ...le(start, 8)],
    ...[...le(0x07064b50, 4), ...le(0, 4), ...le(start + directory.length, 8), ...le(1, 4)],
  ];
  const isWide = start >= 0xffffffff;
  emit(
    present(
      Uint8Array.from([
        ...directory,
        ...wideEnd,
        ...[...le(0x06054b50, 4), ...le(0, 4), ...le(count, 2), ...le(count, 2), ...le(directory.length, 4)],
        ...[...le(isWide ? 0xffffffff : start, 4), ...le(0, 2)],
      ]),
    ),
  );
  return new CountingSource(parts, name);
}

/** Sources that know how much was asked of them. */
export class CountingSource implements ByteSource {
  readonly size: number;
  /** Lengths of the reads so far. */
  readonly reads: number[] = [];

  constructor(
    readonly parts: readonly Synthetic[],
    readonly name: string,
  ) {
    this.size = parts.reduce((sum, part) => sum + part.size, 0);
  }

  get bytesRead(): number {
    return this.reads.reduce((sum, length) => sum + length, 0);
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    checkByteRange(this, offset, length);
    this.reads.push(length);
    const result = new Uint8Array(length);
    let begin = 0;
    for (const part of this.parts) {
      const from = Math.max(offset, begin);
      const to = Math.min(offset + length, begin + part.size);
      if (from < to) result.set(part.read(from - begin, to - from), from - offset);
      begin += part.size;
    }
    return result;
  }
}

/** The whole content of bytes in memory as a counting source. */
export const countingSource = (bytes: Uint8Array, name = 'made.pth') => new CountingSource([present(bytes)], name);

/** A zip checkpoint: a pickle and the storages by key. */
export function checkpoint(
  root: Bytes,
  storages: Record<string, Uint8Array | Synthetic>,
  deflate = false,
): CountingSource {
  return zipSource([
    { name: 'archive/data.pkl', data: pickle(root), deflate },
    ...Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data, deflate })),
  ]);
}

/** The magic number takes ten bytes, one more than {@link integer} writes. */
const magic: Bytes = [0x8a, 10, ...le(0x1950a86a20f9469cfc6cn, 10)];

/** A checkpoint in the form before PyTorch 1.6. */
export function legacyCheckpoint(
  root: Bytes,
  storages: Record<string, Synthetic>,
  elementBytes: number,
): CountingSource {
  const facts = dict([text('protocol_version'), integer(1001)], [text('little_endian'), yes]);
  const pickles = [magic, integer(1001), facts, root, list(...Object.keys(storages).map(text))];
  const parts = pickles.map((value) => present(pickle(value)));
  for (const content of Object.values(storages)) {
    parts.push(present(Uint8Array.from(le(content.size / elementBytes, 8))), content);
  }
  return new CountingSource(parts, 'legacy.pth');
}

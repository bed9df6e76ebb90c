/**
 * The form of `torch.save` before PyTorch 1.6 (`_use_new_zipfile_serialization=False` since): the pickles of a magic
 * number, a protocol version, facts on the machine, the object itself and the list of storage keys, then per key a
 * 64-bit element count and the elements.
 */
import { FormatError, type ByteSource } from '@ii/tensor';
import { buildState, parseStorageId, resolveGlobal, storageElementBytes } from './globals.js';
import { PickleEndError } from './pickle-cursor.js';
import { describe, PickleDict, type PickleValue } from './pickle-value.js';
import { TorchStorage, type StorageBytes } from './torch-tensor.js';
import { maxPickleBytes, unpickle, type PickleEnvironment } from './unpickle.js';

const magicNumber = 0x1950a86a20f9469cfc6cn;
const protocolVersion = 1001;
const firstWindow = 64 * 1024;

/** A storage whose place in the file is known only once all pickles are read. */
class LegacyStorage implements StorageBytes {
  readonly name: string;
  #begin = 0;
  #byteLength = 0;

  constructor(
    readonly source: ByteSource,
    key: string,
    readonly elementBytes: number,
    readonly length: number,
  ) {
    this.name = `storage ${key}`;
  }

  place(begin: number): void {
    this.#begin = begin;
    this.#byteLength = this.length * this.elementBytes;
  }

  async read(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.#byteLength) {
      throw new FormatError(
        `${this.name} of '${this.source.name}' has ${this.#byteLength} bytes, not ${offset + length}`,
      );
    }
    return this.source.read(this.#begin + offset, length);
  }
}

export async function readLegacyCheckpoint(source: ByteSource, signal?: AbortSignal): Promise<PickleValue> {
  const pickles = new PickleStream(source, signal);
  const magic = await pickles.next(plainData);
  if (magic !== magicNumber) {
    throw new FormatError(`its magic number is ${describe(magic)}, not ${magicNumber}: no checkpoint of torch.save`);
  }
  const version = await pickles.next(plainData);
  if (version !== protocolVersion) {
    throw new FormatError(`its protocol version is ${describe(version)}; only ${protocolVersion} is known`);
  }
  const machine = await pickles.next(plainData);
  if (machine instanceof PickleDict && machine.get('little_endian') === false) {
    throw new FormatError('it is big-endian; only little-endian checkpoints can be read');
  }

  const storages = new Map<string, LegacyStorage>();
  const value = await pickles.next({
    resolve: resolveGlobal,
    build: buildState,
    persistent: (id) => openStorage(source, storages, id),
  });
  const keys = await pickles.next(plainData);
  await placeStorages(source, storages, keys, pickles.position, signal);
  return value;
}

/** The pickles beside the object itself hold plain numbers and text. */
const plainData: PickleEnvironment = {
  resolve: resolveGlobal,
  build: buildState,
  persistent: () => {
    throw new FormatError('the pickle refers to a storage before any can exist');
  },
};

/** The storage that a persistent id names; the same one each time. */
function openStorage(source: ByteSource, storages: Map<string, LegacyStorage>, id: PickleValue): PickleValue {
  const { dtype, key, length, view } = parseStorageId(id);
  const elementBytes = storageElementBytes(dtype);
  const storage = storages.get(key) ?? new LegacyStorage(source, key, elementBytes, length);
  if (storage.elementBytes !== elementBytes || storage.length !== length) {
    throw new FormatError(`${storage.name} is described twice, and differently`);
  }
  if (length * elementBytes > source.size) {
    throw new FormatError(
      `${storage.name} claims ${length} ${dtype} elements, more than the file's ${source.size} bytes hold; the file is cut or damaged`,
    );
  }
  storages.set(key, storage);
  if (!view) return new TorchStorage(storage, dtype, length);
  const { offset, size } = view;
  if (offset + size > length) throw new FormatError(`a view of ${storage.name} is not inside it`);
  return new TorchStorage(storage, dtype, size, offset);
}

/** Walks the storages that follow the pickles: reads their element counts, skips their elements. */
async function placeStorages(
  source: ByteSource,
  storages: ReadonlyMap<string, LegacyStorage>,
  keys: PickleValue,
  start: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!Array.isArray(keys)) throw new FormatError(`its list of storages is ${describe(keys)}`);
  let position = start;
  const placed = new Set<PickleValue>();
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage || placed.has(key)) throw new FormatError(`its list of storages names ${describe(key)} without need`);
    if (position + 8 > source.size) throw cut(storage.name, source);
    const count = await source.read(position, 8, signal);
    const length = Number(new DataView(count.buffer, count.byteOffset, 8).getBigInt64(0, true));
    if (length !== storage.length) {
      throw new FormatError(
        `${storage.name} has ${length} elements in the file, but its tensors say ${storage.length}`,
      );
    }
    storage.place(position + 8);
    position += 8 + length * storage.elementBytes;
    if (position > source.size) throw cut(storage.name, source);
    placed.add(key);
  }
  for (const [key, storage] of storages) {
    if (!placed.has(key)) throw new FormatError(`${storage.name} of a tensor is missing; the file is incomplete`);
  }
}

function cut(storage: string, source: ByteSource): FormatError {
  return new FormatError(
    `the file is cut: it ends after ${source.size} bytes, inside ${storage}; download or save it again`,
  );
}

/** Reads pickles one after the other from a file in which their lengths are not written. */
class PickleStream {
  position = 0;
  #window: Uint8Array = new Uint8Array(0);

  constructor(
    readonly source: ByteSource,
    readonly signal: AbortSignal | undefined,
  ) {}

  /** The next pickle. One longer than the bytes read so far is tried again with at least twice as many. */
  async next(environment: PickleEnvironment): Promise<PickleValue> {
    for (;;) {
      try {
        const { value, end } = unpickle(this.#window, environment, this.position);
        this.position = end;
        return value;
      } catch (error) {
        if (!(error instanceof PickleEndError)) throw error;
        const limit = Math.min(this.source.size, maxPickleBytes);
        if (error.needed > limit) throw error;
        await this.#grow(Math.min(limit, Math.max(error.needed, this.#window.length * 2, firstWindow)));
      }
    }
  }

  async #grow(length: number): Promise<void> {
    const grown = new Uint8Array(length);
    grown.set(this.#window);
    const have = this.#window.length;
    grown.set(await this.source.read(have, length - have, this.signal), have);
    this.#window = grown;
  }
}

/**
 * The safetensors file format: a u64 little-endian header length, a JSON header (name, dtype, shape, byte range per
 * tensor), then the raw little-endian data. https://github.com/huggingface/safetensors#format
 */
import { FormatError } from '../errors.js';
import type { ByteSource } from './byte-source.js';
import { parseOrderedJson, type OrderedJson } from './ordered-json.js';
import { storedByteLength, type StateDict, type StoredDType, type StoredTensor } from './stored-tensor.js';

/** Longest header that is read, in bytes; the reference implementation has the same limit. */
export const maxSafetensorsHeader = 100_000_000;

/** Names of the element types in a header. */
export const safetensorsDTypes: Readonly<Record<StoredDType, string>> = {
  f64: 'F64',
  f32: 'F32',
  f16: 'F16',
  bf16: 'BF16',
  i64: 'I64',
  i32: 'I32',
  i16: 'I16',
  i8: 'I8',
  u64: 'U64',
  u32: 'U32',
  u16: 'U16',
  u8: 'U8',
  bool: 'BOOL',
};

const storedDTypes = new Map(
  (Object.keys(safetensorsDTypes) as StoredDType[]).map((dtype) => [safetensorsDTypes[dtype], dtype]),
);

export interface SafetensorsFile {
  /** The tensors in the order of the header; nothing is read before a tensor's `bytes()`. */
  readonly tensors: StateDict;
  /** The header's `__metadata__`, empty when there is none. */
  readonly metadata: Readonly<Record<string, string>>;
}

interface HeaderEntry {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * Opens a safetensors file: reads its header and checks all of it. Every tensor's range must match its dtype and shape,
 * and the ranges must fill the data without overlap, gap or overrun. The tensors read from `source`, so keep it open.
 *
 * @throws FormatError naming the file, the tensor and what is wrong with it.
 * @throws the signal's reason when `signal` is aborted while opening.
 */
export async function readSafetensors(
  source: ByteSource,
  { signal }: { signal?: AbortSignal | undefined } = {},
): Promise<SafetensorsFile> {
  const fail = (problem: string): never => {
    throw new FormatError(`'${source.name}' is not a valid safetensors file: ${problem}`);
  };
  if (source.size < 8) fail(`it has ${source.size} bytes, less than its header length takes`);
  const prefix = await source.read(0, 8, signal);
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(Math.min(source.size - 8, maxSafetensorsHeader))) {
    fail(`its header claims ${length} bytes, but the file has ${source.size} and ${maxSafetensorsHeader} is the limit`);
  }
  const header = parseHeader(await source.read(8, Number(length), signal), fail);

  const dataStart = 8 + Number(length);
  const { entries, metadata } = header;
  checkLayout(entries, source.size - dataStart, fail);
  const tensors = new Map<string, StoredTensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    tensors.set(name, { dtype, shape, bytes: () => source.read(dataStart + begin, end - begin) });
  }
  return { tensors, metadata };
}

function parseHeader(
  bytes: Uint8Array,
  fail: (problem: string) => never,
): { entries: HeaderEntry[]; metadata: Record<string, string> } {
  let root: OrderedJson;
  try {
    root = parseOrderedJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch (error) {
    return fail(`its header is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
  if (!(root instanceof Map)) return fail('its header is not a JSON object');
  const entries: HeaderEntry[] = [];
  const metadata: Record<string, string> = Object.create(null);
  for (const [name, value] of root) {
    if (!(value instanceof Map)) return fail(`the header's entry '${name}' is not an object`);
    if (name !== '__metadata__') {
      entries.push(parseEntry(name, value, (problem) => fail(`tensor '${name}' ${problem}`)));
      continue;
    }
    for (const [key, text] of value) {
      metadata[key] = typeof text === 'string' ? text : fail(`the metadata '${key}' is not a string`);
    }
  }
  return { entries, metadata };
}

function parseEntry(name: string, fields: Map<string, OrderedJson>, fail: (problem: string) => never): HeaderEntry {
  const dtypeName = fields.get('dtype');
  const dtype = typeof dtypeName === 'string' ? storedDTypes.get(dtypeName) : undefined;
  if (dtype === undefined) {
    return fail(`has the dtype ${JSON.stringify(dtypeName)}; known are ${[...storedDTypes.keys()].join(', ')}`);
  }
  const shape = wholeNumbers(fields.get('shape')) ?? fail('has no shape of whole numbers');
  const offsets = wholeNumbers(fields.get('data_offsets'));
  const [begin, end] = offsets ?? [];
  if (begin === undefined || end === undefined || offsets?.length !== 2 || begin > end) {
    return fail('has no data_offsets [begin, end]');
  }
  let expected: number;
  try {
    expected = storedByteLength(dtype, shape);
  } catch (error) {
    return fail(error instanceof Error ? `is impossible: ${error.message}` : 'is impossible');
  }
  if (end - begin !== expected) {
    return fail(`takes ${end - begin} bytes, but ${dtypeName} of shape [${shape.join(', ')}] takes ${expected}`);
  }
  return { name, dtype, shape, begin, end };
}

function wholeNumbers(value: OrderedJson | undefined): number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const numbers = value.filter((item): item is number => Number.isSafeInteger(item) && Number(item) >= 0);
  return numbers.length === value.length ? numbers : undefined;
}

/** The tensors must tile the data exactly: anything else means a cut or forged file. */
function checkLayout(entries: readonly HeaderEntry[], dataLength: number, fail: (problem: string) => never): void {
  let position = 0;
  let previous = 'the start';
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > dataLength) fail(`tensor '${name}' ends at byte ${end} of ${dataLength} bytes of data; the file is cut`);
    if (begin < position) fail(`tensor '${name}' overlaps '${previous}' (begins at ${begin}, before ${position})`);
    if (begin > position) fail(`${begin - position} bytes before tensor '${name}' belong to no tensor`);
    position = end;
    previous = name;
  }
  if (position !== dataLength) fail(`${dataLength - position} bytes after the last tensor belong to no tensor`);
}

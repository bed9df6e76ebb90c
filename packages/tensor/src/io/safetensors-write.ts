import { DTypeError, FormatError } from '../errors.js';
import { readBytes, readElements } from './decode.js';
import { float32ToHalf } from './float16.js';
import { maxSafetensorsHeader, safetensorsDTypes } from './safetensors.js';
import {
  storedByteLength,
  storedElementBytes,
  type StateDict,
  type StoredDType,
  type StoredTensor,
} from './stored-tensor.js';

export interface SafetensorsWriteOptions {
  /** Text to store beside the tensors, as the header's `__metadata__`. */
  metadata?: Readonly<Record<string, string>> | undefined;
  /**
   * Element type for the tensors of floating-point numbers (integers and bool stay as they are), or a function that
   * chooses one per tensor, `undefined` meaning: leave it. By default every tensor keeps its own.
   */
  dtype?: FloatTarget | ((name: string, tensor: StoredTensor) => FloatTarget | undefined) | undefined;
  signal?: AbortSignal | undefined;
}

/** Element types that floating-point tensors can be written as. */
export type FloatTarget = 'f32' | 'f16';

/** Where a file's bytes go, in order: a file handle, a stream's writer, an array of chunks. */
export interface ByteSink {
  write(bytes: Uint8Array): void | Promise<void>;
}

const floats: ReadonlySet<StoredDType> = new Set(['f64', 'f32', 'f16', 'bf16']);

interface PlannedTensor {
  readonly name: string;
  readonly tensor: StoredTensor;
  readonly dtype: StoredDType;
  readonly length: number;
}

/**
 * The bytes of a safetensors file, header first, then one chunk per tensor: at most one tensor is in memory at a time.
 * The header lists the tensors in the order of `tensors` and is padded to 8 bytes; the data are ordered by element size,
 * widest first, so that each tensor is aligned to its elements. Equal input gives equal bytes.
 *
 * @throws DTypeError when a finite value is beyond the range of the element type asked for.
 * @throws FormatError when a tensor's bytes do not match its shape, or the header is longer than 100 MB.
 * @throws the signal's reason when `signal` is aborted.
 */
export async function* safetensorsChunks(
  tensors: StateDict,
  { metadata, dtype, signal }: SafetensorsWriteOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const planned = [...tensors].map(([name, tensor]): PlannedTensor => {
    if (name === '__metadata__') {
      throw new FormatError(`a tensor may not be named '__metadata__' in a safetensors file`);
    }
    const wanted = typeof dtype === 'function' ? dtype(name, tensor) : dtype;
    const target = wanted !== undefined && floats.has(tensor.dtype) ? wanted : tensor.dtype;
    return { name, tensor, dtype: target, length: storedByteLength(target, tensor.shape) };
  });
  // A stable sort: tensors of equal width stay in the order of the state dict.
  const byWidth = [...planned].sort((a, b) => storedElementBytes(b.dtype) - storedElementBytes(a.dtype));

  yield encodeHeader(planned, byWidth, metadata);
  for (const { name, tensor, dtype: target } of byWidth) {
    signal?.throwIfAborted();
    yield target === tensor.dtype ? await readBytes(tensor) : await convert(name, tensor, target);
  }
}

/**
 * Writes a safetensors file to `sink`, in order and awaiting each write, and returns the number of bytes written.
 *
 * @throws as {@link safetensorsChunks} does, and what `sink.write` throws.
 */
export async function writeSafetensors(
  tensors: StateDict,
  sink: ByteSink,
  options: SafetensorsWriteOptions = {},
): Promise<number> {
  let written = 0;
  for await (const chunk of safetensorsChunks(tensors, options)) {
    await sink.write(chunk);
    written += chunk.byteLength;
  }
  return written;
}

/** A whole safetensors file in memory: for small state dicts, downloads in a browser and tests. */
export async function encodeSafetensors(
  tensors: StateDict,
  options: SafetensorsWriteOptions = {},
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const size = await writeSafetensors(tensors, { write: (bytes) => void chunks.push(bytes) }, options);
  const file = new Uint8Array(size);
  let position = 0;
  for (const chunk of chunks) {
    file.set(chunk, position);
    position += chunk.byteLength;
  }
  return file;
}

function encodeHeader(
  planned: readonly PlannedTensor[],
  byWidth: readonly PlannedTensor[],
  metadata: Readonly<Record<string, string>> | undefined,
): Uint8Array {
  const begins = new Map<PlannedTensor, number>();
  let position = 0;
  for (const entry of byWidth) {
    begins.set(entry, position);
    position += entry.length;
  }
  const fields = planned.map((entry) => {
    const begin = begins.get(entry) ?? 0;
    const value = {
      dtype: safetensorsDTypes[entry.dtype],
      shape: entry.tensor.shape,
      data_offsets: [begin, begin + entry.length],
    };
    return `${JSON.stringify(entry.name)}:${JSON.stringify(value)}`;
  });
  // Written as text: an object would move names like "0" to the front.
  if (metadata) fields.unshift(`"__metadata__":${JSON.stringify(metadata)}`);
  const json = new TextEncoder().encode(`{${fields.join(',')}}`);
  const padded = Math.ceil(json.length / 8) * 8;
  if (padded > maxSafetensorsHeader) {
    throw new FormatError(`a safetensors header of ${padded} bytes is over the limit of ${maxSafetensorsHeader}`);
  }
  const header = new Uint8Array(8 + padded).fill(0x20);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  header.set(json, 8);
  return header;
}

async function convert(name: string, tensor: StoredTensor, target: StoredDType): Promise<Uint8Array> {
  const original = await readElements(tensor);
  const values = original instanceof Float32Array ? original : Float32Array.from(original, Number);
  const encoded = target === 'f16' ? float32ToHalf(values) : values;
  // A finite number that became infinite would ruin the model silently.
  for (let i = 0; i < encoded.length; i++) {
    const infinite = target === 'f16' ? (encoded[i]! & 0x7fff) === 0x7c00 : Math.abs(encoded[i]!) === Infinity;
    if (infinite && Number.isFinite(Number(original[i]))) {
      const range = target === 'f16' ? 65504 : 3.4028234663852886e38;
      throw new DTypeError(
        `tensor '${name}' holds ${original[i]} at index ${i}, beyond the range of ${target} (${range}); keep this tensor as it is by a dtype function`,
      );
    }
  }
  return new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength);
}

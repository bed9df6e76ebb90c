import { DTypeError, FormatError, ShapeError } from '../errors.js';
import { bfloat16ToFloat32, halfToFloat32 } from './float16.js';
import {
  storedByteLength,
  storedElementBytes,
  storedElementCount,
  type StoredDType,
  type StoredTensor,
} from './stored-tensor.js';

/** Host array that {@link decodeElements} gives for an element type: f16 and bf16 widen to f32, bool is 0 or 1. */
export interface DecodedArrays {
  f64: Float64Array;
  f32: Float32Array;
  f16: Float32Array;
  bf16: Float32Array;
  i64: BigInt64Array;
  i32: Int32Array;
  i16: Int16Array;
  i8: Int8Array;
  u64: BigUint64Array;
  u32: Uint32Array;
  u16: Uint16Array;
  u8: Uint8Array;
  bool: Uint8Array;
}

export type DecodedArray = DecodedArrays[StoredDType];

type Decoder<D extends StoredDType> = (buffer: ArrayBufferLike, offset: number, length: number) => DecodedArrays[D];

// Typed arrays have the host's byte order, and every host that runs WebAssembly or WebGPU is little-endian, as files are.
const decoders: { readonly [D in StoredDType]: Decoder<D> } = {
  f64: (buffer, offset, length) => new Float64Array(buffer, offset, length),
  f32: (buffer, offset, length) => new Float32Array(buffer, offset, length),
  f16: (buffer, offset, length) => halfToFloat32(new Uint16Array(buffer, offset, length)),
  bf16: (buffer, offset, length) => bfloat16ToFloat32(new Uint16Array(buffer, offset, length)),
  i64: (buffer, offset, length) => new BigInt64Array(buffer, offset, length),
  i32: (buffer, offset, length) => new Int32Array(buffer, offset, length),
  i16: (buffer, offset, length) => new Int16Array(buffer, offset, length),
  i8: (buffer, offset, length) => new Int8Array(buffer, offset, length),
  u64: (buffer, offset, length) => new BigUint64Array(buffer, offset, length),
  u32: (buffer, offset, length) => new Uint32Array(buffer, offset, length),
  u16: (buffer, offset, length) => new Uint16Array(buffer, offset, length),
  u8: (buffer, offset, length) => new Uint8Array(buffer, offset, length),
  bool: (buffer, offset, length) => new Uint8Array(buffer, offset, length),
};

/**
 * Little-endian `bytes` as a host array. Shares memory with `bytes` where the element type and the alignment allow.
 *
 * @throws FormatError when `bytes` is not a whole number of elements.
 */
export function decodeElements<D extends StoredDType>(dtype: D, bytes: Uint8Array): DecodedArrays[D] {
  const width = storedElementBytes(dtype);
  if (bytes.byteLength % width !== 0) {
    throw new FormatError(`${bytes.byteLength} bytes are not a whole number of ${dtype} elements of ${width} bytes`);
  }
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
  const decode: Decoder<D> = decoders[dtype];
  return decode(aligned.buffer, aligned.byteOffset, aligned.byteLength / width);
}

/**
 * Reads all elements of `tensor` into a host array of its element type (see {@link DecodedArrays}).
 *
 * @throws FormatError when the tensor's bytes do not match its shape and dtype.
 */
export async function readElements(tensor: StoredTensor): Promise<DecodedArray> {
  return decodeElements(tensor.dtype, await readBytes(tensor));
}

/**
 * Reads all elements of `tensor` as f32. Integers beyond 2^24 and f64 are rounded to nearest; bool becomes 0 or 1.
 * An f32 tensor may share memory with its source: do not write to the result.
 *
 * @throws FormatError when the tensor's bytes do not match its shape and dtype.
 */
export async function toFloat32(tensor: StoredTensor): Promise<Float32Array> {
  const elements = await readElements(tensor);
  if (elements instanceof Float32Array) return elements;
  if (elements instanceof BigInt64Array || elements instanceof BigUint64Array) {
    return Float32Array.from(elements, (value) => Number(value));
  }
  return new Float32Array(elements);
}

/** The tensor's bytes, with their number checked against its shape and dtype. */
export async function readBytes(tensor: StoredTensor): Promise<Uint8Array> {
  const expected = storedByteLength(tensor.dtype, tensor.shape);
  const bytes = await tensor.bytes();
  if (bytes.byteLength !== expected) {
    throw new FormatError(
      `a ${tensor.dtype} tensor of shape [${tensor.shape.join(', ')}] has ${expected} bytes, but its source gave ${bytes.byteLength}`,
    );
  }
  return bytes;
}

/** Host arrays whose element type is clear; a `Uint16Array` holds u16 unless `dtype` says that it holds f16 bits. */
export type ElementArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | BigUint64Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

const naturalDType: Readonly<Record<string, StoredDType>> = {
  Float64Array: 'f64',
  Float32Array: 'f32',
  BigInt64Array: 'i64',
  Int32Array: 'i32',
  Int16Array: 'i16',
  Int8Array: 'i8',
  BigUint64Array: 'u64',
  Uint32Array: 'u32',
  Uint16Array: 'u16',
  Uint8Array: 'u8',
};

/**
 * Presents a host array as a {@link StoredTensor}, without a copy.
 *
 * @param data the elements in row-major order
 * @param shape sizes of the dimensions; by default one dimension, `[data.length]`
 * @param dtype element type; by default the array's own. `f16` and `bf16` take the bits in a `Uint16Array`, `bool` takes
 *   0 and 1 in a `Uint8Array`.
 * @throws ShapeError when `shape` does not have as many elements as `data`.
 * @throws DTypeError when `data` cannot hold `dtype`.
 */
export function storedTensor(
  data: ElementArray,
  shape: readonly number[] = [data.length],
  dtype?: StoredDType,
): StoredTensor {
  const natural = naturalDType[data[Symbol.toStringTag]];
  const type = dtype ?? natural;
  const reinterpreted =
    (natural === 'u16' && (type === 'f16' || type === 'bf16')) || (natural === 'u8' && type === 'bool');
  if (type === undefined || (type !== natural && !reinterpreted)) {
    throw new DTypeError(`a ${data[Symbol.toStringTag]} cannot hold ${type}; convert it first`);
  }
  if (storedElementCount(shape) !== data.length) {
    throw new ShapeError(`shape [${shape.join(', ')}] does not have the ${data.length} elements of its data`);
  }
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return { dtype: type, shape: [...shape], bytes: async () => bytes };
}

import { decodeElements, FormatError, storedByteLength, type StoredDType } from '@ii/tensor';
import { narrow } from './pickle-cursor.js';
import { describe, OpaqueValue, type PickleValue } from './pickle-value.js';

const dtypes: Readonly<Record<string, StoredDType>> = {
  f8: 'f64',
  f4: 'f32',
  f2: 'f16',
  i8: 'i64',
  i4: 'i32',
  i2: 'i16',
  i1: 'i8',
  u8: 'u64',
  u4: 'u32',
  u2: 'u16',
  u1: 'u8',
  b1: 'bool',
};

/** A `numpy.dtype`. */
export class NumpyDType {
  /** Byte order of multi-byte elements; the state that follows in the pickle may say `>`. */
  bigEndian = false;

  constructor(
    /** Kind and bytes, `f8`. */
    readonly code: string,
  ) {}

  /** The element type here, or `undefined` for text, objects, dates and structures. */
  get stored(): StoredDType | undefined {
    return Object.hasOwn(dtypes, this.code) ? dtypes[this.code] : undefined;
  }

  /** Takes numpy's state tuple: (version, byte order, …). */
  setState(state: PickleValue): void {
    this.bigEndian = Array.isArray(state) && state[1] === '>';
  }

  toString(): string {
    return `numpy.dtype ${this.code}`;
  }
}

/** A `numpy.ndarray`: flat elements in row-major order, or none where the element type has no counterpart here. */
export class NumpyArray {
  shape: readonly number[] = [];
  dtype = new NumpyDType('O8');
  elements: ReadonlyArray<number | bigint> = [];

  /** Takes numpy's state tuple: (version, shape, dtype, is_fortran, bytes). */
  setState(state: PickleValue): void {
    const [, shape, dtype, fortran, data] = Array.isArray(state) ? state : [];
    if (!Array.isArray(shape) || !(dtype instanceof NumpyDType)) {
      throw new FormatError('the pickle is malformed: a numpy array without shape and dtype');
    }
    this.shape = shape.map((size) => (typeof size === 'number' ? size : NaN));
    this.dtype = dtype;
    // Column-major data and element types without a counterpart stay unread: they occur in metadata only.
    if (data instanceof Uint8Array && fortran !== true) this.elements = decode(dtype, data, this.shape);
  }

  toString(): string {
    return `numpy.ndarray ${this.dtype.code} [${this.shape.join(', ')}]`;
  }
}

/** `numpy.dtype(code, align, copy)` */
export function numpyDType([code]: readonly PickleValue[]): NumpyDType {
  if (typeof code !== 'string') throw new FormatError(`the pickle is malformed: numpy.dtype of ${describe(code)}`);
  const bare = code.replace(/^[<>=|]/, '');
  const dtype = new NumpyDType(bare === '?' ? 'b1' : bare);
  dtype.bigEndian = code.startsWith('>');
  return dtype;
}

/** `numpy.core.multiarray.scalar(dtype, bytes)`: a plain number where it is one. */
export function numpyScalar([dtype, data]: readonly PickleValue[]): PickleValue {
  if (!(dtype instanceof NumpyDType)) {
    throw new FormatError(`the pickle is malformed: a numpy scalar of ${describe(dtype)}`);
  }
  if (!dtype.stored || !(data instanceof Uint8Array)) return new OpaqueValue(dtype.toString(), []);
  const [value] = decode(dtype, data, []);
  return value === undefined ? null : dtype.stored === 'bool' ? value !== 0 : value;
}

/** `numpy.core.numeric._frombuffer(bytes, dtype, shape, order)`, as protocol 5 writes arrays. */
export function numpyFromBuffer([data, dtype, shape, order]: readonly PickleValue[]): NumpyArray {
  const array = new NumpyArray();
  array.setState([1, shape ?? null, dtype ?? null, order === 'F', data ?? null]);
  return array;
}

function decode(dtype: NumpyDType, data: Uint8Array, shape: readonly number[]): Array<number | bigint> {
  const stored = dtype.stored;
  if (!stored) return [];
  if (data.byteLength !== byteLength(stored, shape)) {
    throw new FormatError(`the pickle is malformed: ${dtype} [${shape.join(', ')}] with ${data.byteLength} bytes`);
  }
  const width = Number(dtype.code.slice(1));
  const bytes = data.slice();
  if (dtype.bigEndian) {
    for (let i = 0; i < bytes.length; i += width) bytes.subarray(i, i + width).reverse();
  }
  const elements: Iterable<number | bigint> = decodeElements(stored, bytes);
  return Array.from(elements, (value) => (typeof value === 'bigint' ? narrow(value) : value));
}

/** Bytes that the array takes, NaN for an impossible shape. */
function byteLength(stored: StoredDType, shape: readonly number[]): number {
  try {
    return storedByteLength(stored, shape);
  } catch {
    return NaN;
  }
}

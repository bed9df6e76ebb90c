/** Tensors of a checkpoint: views with a size, strides and an offset into storages that stay in the file until read. */
import { FormatError, storedByteLength, storedElementBytes, type StoredDType, type StoredTensor } from '@ii/tensor';

/** The bytes of one storage, in the file. */
export interface StorageBytes {
  /** What messages call it: `data/0`, `storage 94221`. */
  readonly name: string;
  read(offset: number, length: number): Promise<Uint8Array>;
}

/** A one-dimensional run of elements; `untyped` storages are counted in bytes, and their tensors know the type. */
export class TorchStorage {
  constructor(
    readonly bytes: StorageBytes,
    readonly dtype: StoredDType | 'untyped',
    /** Number of elements. */
    readonly length: number,
    /** Where it begins in `bytes`, in elements: not 0 for the view storages of old files. */
    readonly begin = 0,
  ) {}

  toString(): string {
    return `a storage of ${this.length} ${this.dtype} elements (${this.bytes.name})`;
  }
}

/** Views may be larger than their storage only by repeating elements (stride 0): up to this many bytes. */
const maxExpandedBytes = 16 * 2 ** 20;
/** Dimensions that a tensor may have; PyTorch's own limit. */
const maxDimensions = 64;

export class TorchTensor implements StoredTensor {
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  readonly #strides: readonly number[];
  readonly #bytes: StorageBytes;
  /** Where the view's first element begins in `#bytes`, and the bytes from there to the end of its last. */
  readonly #begin: number;
  readonly #span: number;

  /**
   * @param offset first element of the view, counted in the storage
   * @param strides elements between neighbours along each dimension
   * @param dtype element type; by default the storage's
   * @throws FormatError when the view is not inside the storage or absurdly larger than it.
   */
  constructor(
    storage: TorchStorage,
    offset: number,
    shape: readonly number[],
    strides: readonly number[],
    dtype?: StoredDType,
  ) {
    const type = dtype ?? storage.dtype;
    const view = `a view of size [${shape.join(', ')}], strides [${strides.join(', ')}], offset ${offset} on ${storage}`;
    const refusal = (problem: string) => new FormatError(`${view} ${problem}`);
    if (type === 'untyped' || (storage.dtype !== 'untyped' && storage.dtype !== type)) {
      throw refusal(`has the element type ${type}`);
    }
    if (shape.length !== strides.length) throw refusal('has not one stride per dimension');
    if (shape.length > maxDimensions) throw refusal(`has more than ${maxDimensions} dimensions`);
    if (shape.some((size) => size < 0)) throw refusal('has a negative size');
    if (strides.some((stride) => stride < 0)) throw refusal('has a negative stride');
    if (![offset, ...shape, ...strides].every(Number.isSafeInteger) || offset < 0)
      throw refusal('has impossible numbers');

    const width = storedElementBytes(type);
    const available = storage.dtype === 'untyped' ? Math.floor(storage.length / width) : storage.length;
    const empty = shape.includes(0);
    const last = shape.reduce((sum, size, axis) => sum + Math.max(size - 1, 0) * (strides[axis] ?? 0), offset);
    if (empty ? offset > available : last >= available) {
      throw refusal(`reaches element ${empty ? offset : last}, past the end of its storage`);
    }
    let byteLength: number;
    try {
      byteLength = storedByteLength(type, shape);
    } catch {
      throw refusal('has more elements than can exist');
    }
    if (byteLength > Math.max(available * width, maxExpandedBytes)) {
      throw refusal(
        `repeats its elements to ${byteLength} bytes; ${maxExpandedBytes} is the limit for a view larger than its storage`,
      );
    }

    this.dtype = type;
    this.shape = shape;
    this.#strides = strides;
    this.#bytes = storage.bytes;
    this.#begin = storage.begin * (storage.dtype === 'untyped' ? 1 : width) + offset * width;
    this.#span = empty ? 0 : (last - offset + 1) * width;
  }

  /** Reads the part of the storage that the view covers and arranges it in row-major order. */
  async bytes(): Promise<Uint8Array> {
    if (this.#span === 0) return new Uint8Array(0);
    const width = storedElementBytes(this.dtype);
    const covered = await this.#bytes.read(this.#begin, this.#span);
    return isContiguous(this.shape, this.#strides) ? covered : gather(covered, this.shape, this.#strides, width);
  }

  toString(): string {
    return `a tensor ${this.dtype} [${this.shape.join(', ')}]`;
  }
}

/** Whether the elements of a view lie in row-major order without gaps; strides of dimensions of size 1 do not matter. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Copies a strided view, whose first element begins `source`, into row-major order; elements have `width` bytes. */
function gather(source: Uint8Array, shape: readonly number[], strides: readonly number[], width: number): Uint8Array {
  const count = shape.reduce((product, size) => product * size, 1);
  const result = new Uint8Array(count * width);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < result.length; to += width) {
    for (let byte = 0; byte < width; byte++) result[to + byte] = source[from + byte] ?? 0;
    // Step to the next index, the last dimension fastest; a dimension that is full goes back to its start.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = (strides[axis] ?? 0) * width;
      index[axis] = (index[axis] ?? 0) + 1;
      from += stride;
      if (index[axis] !== shape[axis]) break;
      from -= stride * (shape[axis] ?? 0);
      index[axis] = 0;
    }
  }
  return result;
}

/**
 * A tensor at rest: in a checkpoint file, a blob or a host buffer, before any device holds it. Checkpoint readers
 * produce maps of these and `Module.load` consumes them, so that no file is ever whole in memory.
 */
import { ShapeError } from '../errors.js';

/** Element types that checkpoint files hold, named as safetensors names them (in lower case). */
export type StoredDType =
  'f64' | 'f32' | 'f16' | 'bf16' | 'i64' | 'i32' | 'i16' | 'i8' | 'u64' | 'u32' | 'u16' | 'u8' | 'bool';

export interface StoredTensor {
  readonly dtype: StoredDType;
  /** Sizes of the dimensions; `[]` is a scalar. */
  readonly shape: readonly number[];
  /**
   * The elements in row-major order, little-endian, without gaps: `storedElementBytes(dtype) * product(shape)` bytes.
   * The result may share memory with where it came from: do not write to it.
   */
  bytes(): Promise<Uint8Array>;
}

/** Tensors by their state-dict name, in the order of the file. */
export type StateDict = ReadonlyMap<string, StoredTensor>;

const elementBytes: Readonly<Record<StoredDType, number>> = {
  f64: 8,
  f32: 4,
  f16: 2,
  bf16: 2,
  i64: 8,
  i32: 4,
  i16: 2,
  i8: 1,
  u64: 8,
  u32: 4,
  u16: 2,
  u8: 1,
  bool: 1,
};

/** Bytes that one element of `dtype` takes in a file. */
export function storedElementBytes(dtype: StoredDType): number {
  return elementBytes[dtype];
}

/**
 * Number of elements of `shape`; 1 for a scalar.
 *
 * @throws ShapeError when a size is not a whole number of at least 0, or the product is beyond 2^53.
 */
export function storedElementCount(shape: readonly number[]): number {
  // A zero anywhere makes the product zero, but the other sizes must still be sizes, and may not overflow before it.
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new ShapeError(`a shape needs whole sizes of at least 0, not [${shape.join(', ')}]`);
    }
    count *= Math.max(size, 1);
    if (!Number.isSafeInteger(count)) {
      throw new ShapeError(`the shape [${shape.join(', ')}] has more than 2^53 elements`);
    }
  }
  return shape.includes(0) ? 0 : count;
}

/**
 * Bytes that a tensor of `dtype` and `shape` takes in a file.
 *
 * @throws ShapeError as {@link storedElementCount} does.
 */
export function storedByteLength(dtype: StoredDType, shape: readonly number[]): number {
  const bytes = storedElementCount(shape) * elementBytes[dtype];
  if (!Number.isSafeInteger(bytes)) {
    throw new ShapeError(`a ${dtype} tensor of shape [${shape.join(', ')}] has more than 2^53 bytes`);
  }
  return bytes;
}

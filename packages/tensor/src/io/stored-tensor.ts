/**
 * A tensor at rest: in a checkpoint file, a blob or a host buffer, before any device holds it. Checkpoint readers
 * produce maps of these and `Module.load` consumes them, so that no file is ever whole in memory.
 */

/** Element types that checkpoint files hold, named as safetensors names them (in lower case). */
export type StoredDType =
  | 'f64'
  | 'f32'
  | 'f16'
  | 'bf16'
  | 'i64'
  | 'i32'
  | 'i16'
  | 'i8'
  | 'u64'
  | 'u32'
  | 'u16'
  | 'u8'
  | 'bool';

export interface StoredTensor {
  readonly dtype: StoredDType;
  /** Sizes of the dimensions; `[]` is a scalar. */
  readonly shape: readonly number[];
  /** The elements in row-major order, little-endian, without gaps: `bytesPerElement(dtype) * product(shape)` bytes. */
  bytes(): Promise<Uint8Array>;
}

/** Tensors by their state-dict name, in the order of the file. */
export type StateDict = ReadonlyMap<string, StoredTensor>;

import { floatToHalf } from './half.js';

/**
 * Element types of device tensors. `f32` is the computing type; `f16` is a storage type (host data are the raw half
 * bits); `i32` holds indices and counts, `u8` images and label maps.
 */
export type DType = 'f32' | 'f16' | 'i32' | 'u8';

/** Host array that holds the elements of a dtype. */
export interface HostArrays {
  f32: Float32Array;
  f16: Uint16Array;
  i32: Int32Array;
  u8: Uint8Array;
}

export type HostArray = HostArrays[DType];

const constructors = { f32: Float32Array, f16: Uint16Array, i32: Int32Array, u8: Uint8Array } as const;

/** A zeroed host array of `length` elements. */
export function hostArray(dtype: DType, length: number): HostArray {
  return new constructors[dtype](length);
}

/** A host array of these values, rounded to what the dtype holds: floats to half bits for f16. */
export function hostArrayOf(dtype: DType, values: ArrayLike<number>): HostArray {
  const out = hostArray(dtype, values.length);
  if (dtype === 'f16') for (let i = 0; i < values.length; i++) out[i] = floatToHalf(values[i]!);
  else out.set(values);
  return out;
}

/** A host array over the bytes of `buffer`, which are not copied. */
export function hostArrayOver(dtype: DType, buffer: ArrayBuffer): HostArray {
  return new constructors[dtype](buffer);
}

export function bytesPerElement(dtype: DType): number {
  return constructors[dtype].BYTES_PER_ELEMENT;
}

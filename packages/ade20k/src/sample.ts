import type { NdArray } from 'ndarray';
import type { RgbImage, Size } from '@ii/tensor/image';

/** A photo, with its labels where known, on its way through the transforms. */
export interface Sample {
  /** Name of the entry: the file name without its suffix. */
  readonly name: string;
  /** `[H, W, 3]`, RGB: bytes as decoded, float32 once normalised; any strides. */
  readonly image: RgbImage | NdArray<Float32Array>;
  /** Class ids `[H, W]`, 255 where ignored; any strides. */
  readonly labels?: NdArray<Uint8Array>;
  /** Size of the photo before any transform. */
  readonly originalSize: Size;
}

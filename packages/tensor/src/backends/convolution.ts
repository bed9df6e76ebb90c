/** What the backends' choices between ways to compute a convolution have in common. */

/** How a convolution can be computed: as a direct sum, or by Winograd's F(4×4, 3×3). */
export type ConvolutionAlgorithm = 'winograd4' | 'implicit';

/** What the choice of an algorithm depends on. */
export interface ConvolutionShape {
  readonly images: number;
  readonly output: readonly [height: number, width: number];
  /** Input channels. */
  readonly channels: number;
  /** Output channels. */
  readonly outputs: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** Outputs on a side of Winograd's tiles. */
export const winogradTile = 4;

/** Whether Winograd's algorithm computes the convolution at all: dense, 3×3, without strides or dilation. */
export function fitsWinograd({ kernel, stride, dilation, groups }: ConvolutionShape): boolean {
  return groups === 1 && kernel.every((k) => k === 3) && [...stride, ...dilation].every((s) => s === 1);
}

/** Tiles that cover the output; those at the border are computed in full. */
export function winogradTiles({ images, output }: Pick<ConvolutionShape, 'images' | 'output'>): number {
  return images * Math.ceil(output[0] / winogradTile) * Math.ceil(output[1] / winogradTile);
}

/** How a convolution can be computed. */
export type ConvolutionAlgorithm = 'winograd4' | 'implicit';

export interface ConvolutionShape {
  readonly images: number;
  readonly output: readonly [height: number, width: number];
  readonly channels: number;
  readonly outputs: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

/** The faster way to compute a convolution. */
export function convolutionAlgorithm(shape: ConvolutionShape): ConvolutionAlgorithm {
  const { images, output, channels, outputs, kernel, stride, dilation, groups } = shape;
  const fits = groups === 1 && [...kernel].every((k) => k === 3) && [...stride, ...dilation].every((s) => s === 1);
  const tiles = images * Math.ceil(output[0] / 4) * Math.ceil(output[1] / 4);
  return fits && tiles >= 16 && Math.min(channels, outputs) >= 16 ? 'winograd4' : 'implicit';
}

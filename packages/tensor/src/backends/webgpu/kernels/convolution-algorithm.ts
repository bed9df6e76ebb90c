import { fitsWinograd, winogradTiles, type ConvolutionAlgorithm, type ConvolutionShape } from '../../convolution.js';

/** Multiply-adds that a GPU does while it moves one element to or from its memory: about 30 on most. */
const perElement = 32;

/** Fewer channels than this on either side leave the transforms' invocations and products too little to share. */
const fewChannels = 32;

/**
 * The way to compute a convolution that takes less time by an estimate of its arithmetic and its traffic. Winograd's has a
 * quarter of the multiply-adds, but moves the image and the result 36/16 times as large, and four times the weights.
 */
export function chooseConvolution(shape: ConvolutionShape): ConvolutionAlgorithm {
  const { images, output, channels, outputs } = shape;
  if (!fitsWinograd(shape) || Math.min(channels, outputs) < fewChannels) return 'implicit';
  const pixels = images * output[0] * output[1];
  const places = 36 * winogradTiles(shape);
  const direct = 9 * (pixels + perElement) * channels * outputs + perElement * pixels * (channels + outputs);
  const winograd = (places + 36 * perElement) * channels * outputs + perElement * 2 * places * (channels + outputs);
  return winograd < direct ? 'winograd4' : 'implicit';
}

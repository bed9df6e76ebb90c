/**
 * The 3×3 convolutions of UperNet's head at 512×512. A dilated convolution is as many multiplications and always a direct
 * sum: it stands for the convolution without Winograd's algorithm.
 */
import { concat, conv2d, conv2dPyramid, resizeBilinear } from '@ii/tensor';
import { measure } from './measure.mjs';

/**
 * @param {number} size height and width @param {number} channels @param {'winograd' | 'direct'} how
 * @returns {import('./measure.mjs').Case}
 */
const convCase = (size, channels, how) => ({
  name: `conv 3×3 ${channels}→${channels} at ${size}×${size}, ${how}`,
  flops: 2 * 9 * size * size * channels * channels,
  setup: (_, random) => {
    const [x, weight] = [random(1, size, size, channels), random(channels, channels, 3, 3)];
    const dilation = how === 'direct' ? 2 : 1;
    return () => conv2d(x, weight, { padding: dilation, dilation });
  },
});

/**
 * A bottleneck over maps of several sizes. The operations counted are those of the plain form in both cases.
 *
 * @param {string} name @param {readonly number[]} sizes finest first @param {'by level' | 'resized'} how
 * @returns {import('./measure.mjs').Case}
 */
const pyramidCase = (name, [size = 1, ...coarser], how) => ({
  name: `${name} ${[size, ...coarser].join(', ')}, ${how}`,
  flops: 2 * 9 * size * size * 512 * 512 * (coarser.length + 1),
  setup: (_, random) => {
    const [x, ...levels] = [size, ...coarser].map((s) => random(1, s, s, 512));
    if (!x) throw new Error('no maps');
    const [weight, scale, bias] = [random(512, 512 * (coarser.length + 1), 3, 3), random(512), random(512)];
    const epilogue = { scale, bias, activation: /** @type {const} */ ('relu') };
    if (how === 'by level') return () => conv2dPyramid([x, ...levels], weight, epilogue);
    const resized = () => concat([x, ...levels.map((level) => resizeBilinear(level, [size, size]))]);
    return () => conv2d(resized(), weight, { padding: 1, ...epilogue });
  },
});

await measure('winograd', [
  ...[64, 128].flatMap((size) => [convCase(size, 512, 'winograd'), convCase(size, 512, 'direct')]),
  convCase(16, 512, 'winograd'),
  convCase(16, 512, 'direct'),
  pyramidCase('fpn_bottleneck', [128, 64, 32, 16], 'by level'),
  pyramidCase('fpn_bottleneck', [128, 64, 32, 16], 'resized'),
  pyramidCase('pooling bottleneck', [16, 1, 2, 3, 6], 'by level'),
  pyramidCase('pooling bottleneck', [16, 1, 2, 3, 6], 'resized'),
]);

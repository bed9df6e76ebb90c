/**
 * The gradient of a 3×3 convolution's weights by the transpose of Winograd's F(4×4, 3×3): for each of the 36 places the sum
 * over the tiles of transformed gradient times transformed input is a product of matrices `[O, tiles] · [tiles, C]`.
 * `assembly/winograd-gradient.ts` derives it.
 */
import type { DenseWeightInputs, DenseWeightParams } from '../../../../ops/gradients/conv2d-winograd.js';
import type { Slot } from '../../../../kernel.js';
import { sizeOf } from '../../../../shape.js';
import {
  defineShader,
  gpuScratch,
  linearGrid,
  read,
  write,
  type WebGpuKernel,
  type WebGpuStep,
} from '../../program.js';
import { noEpilogue } from '../epilogue.wgsl.js';
import { product } from '../gemm.js';
import type { Image } from '../images.js';
import { tileBands, winogradInputStep, winogradMatrices as matrices } from '../winograd.js';
import {
  outputGradientUniforms,
  transformInvocations,
  weightGradientUniforms,
  winogradOutputGradientWgsl,
  winogradWeightGradientWgsl,
} from '../winograd.wgsl.js';

const outputShader = defineShader('winogradOutputGradient', winogradOutputGradientWgsl);
const weightShader = defineShader('winogradWeightGradient', winogradWeightGradientWgsl);

/** Later bands add to the sums of those before. */
const addToBefore = { ...noEpilogue, operands: ['residual'] } as const;

/** Ranges of outputs, of which the 36 sums fit a buffer each. */
function outputRanges(outputs: number, channels: number, bytes: number): { first: number; count: number }[] {
  const most = Math.max(4, Math.floor(bytes / (matrices * 4 * channels) / 4) * 4);
  return Array.from({ length: Math.ceil(outputs / most) }, (_, i) => ({
    first: i * most,
    count: Math.min(most, outputs - i * most),
  }));
}

export const conv2dWeightGradientWinogradWebGpu: WebGpuKernel<DenseWeightInputs, { gw: Slot }, DenseWeightParams> = (
  { x, gy },
  { gw },
  { padding },
  machine,
) => {
  if (sizeOf(gw.shape) === 0) return [];
  const channels = x.shape[3]!;
  const [images, height, width, outputs] = gy.shape as Image;
  const { tilesY, tilesX, bands } = tileBands(images, [height, width], Math.max(channels, outputs), machine);
  const ranges = outputRanges(outputs, channels, machine.maxBindingBytes).map((range) => ({
    ...range,
    // A product does not write where it reads what it adds to.
    sums: [0, 1].map(() => gpuScratch(matrices * range.count * channels * 4)),
  }));
  const seen = gpuScratch(matrices * bands[0]!.count * channels * 4);
  const spread = gpuScratch(matrices * bands[0]!.count * ranges[0]!.count * 4);
  const steps: WebGpuStep[] = [];
  bands.forEach(({ firstTile, count: tiles }, turn) => {
    const place = { tilesY, tilesX, firstTile };
    steps.push(winogradInputStep({ x, transformed: seen, channels, padding, place, tiles }, machine));
    for (const { first: firstChannel, count: m, sums } of ranges) {
      const count = tiles * m;
      const from = { height, width, pixel: outputs, firstChannel };
      steps.push(
        {
          shader: outputShader({}),
          bindings: [read(gy), write(spread)],
          uniforms: outputGradientUniforms.words({ count, channels: m, ...place, matrixStep: count, ...from }),
          workgroups: linearGrid(Math.ceil(count / transformInvocations), machine),
        },
        ...product(
          {
            ...{ matrices, m, n: channels, k: tiles },
            left: { kind: 'matrix', transposed: true, vectors: m % 4 === 0, axes: 1 },
            leftFrom: spread,
            right: { kind: 'matrix', transposed: false, vectors: channels % 4 === 0, axes: 1 },
            rightFrom: seen,
            uniforms: { size0: matrices, left0: count, right0: tiles * channels },
            ...{ to: sums[turn % 2]!, rowStride: channels, matrixStride: m * channels },
            epilogue: turn === 0 ? noEpilogue : addToBefore,
            epilogueBindings: turn === 0 ? [] : [read(sums[(turn + 1) % 2]!)],
          },
          machine,
        ),
      );
    }
  });
  for (const { first, count: rows, sums } of ranges) {
    const count = rows * channels;
    steps.push({
      shader: weightShader({}),
      bindings: [read(sums[(bands.length - 1) % 2]!), write(gw)],
      uniforms: weightGradientUniforms.words({ count, first: first * channels }),
      workgroups: linearGrid(Math.ceil(count / transformInvocations), machine),
    });
  }
  return steps;
};

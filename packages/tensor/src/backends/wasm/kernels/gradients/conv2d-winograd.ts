/** The gradient of a 3×3 convolution's weights by Winograd: the host side of assembly/winograd-gradient.ts. */
import type { DenseWeightInputs, DenseWeightParams } from '../../../../ops/gradients/conv2d-winograd.js';
import type { Slot } from '../../../../kernel.js';
import { winogradTile } from '../../../convolution.js';
import { library } from '../../library.generated.js';
import { f32, scratch, splitWork, type WasmKernel, type WasmStep } from '../../program.js';
import { product } from '../gemm.js';
import { packedBytes, panelColumns } from '../packing.js';
import { winogradInputStep, winogradMatrices, winogradMatrixStep } from '../winograd.js';

/**
 * Bytes of the transformed inputs and gradients that exist at a time. Each band adds to all sums once, so that it should
 * not be small.
 */
const bandBytes = 64 * 2 ** 20;
const outputBytes = 4 * 384 + 64;
const weightBytes = (18 + 3) * 8;

const multipleOf = (value: number, step: number): number => Math.ceil(value / step) * step;

export const conv2dWeightGradientWinogradWasm: WasmKernel<DenseWeightInputs, { gw: Slot }, DenseWeightParams> = {
  library,
  program: ({ x, gy }, { gw }, { padding }, machine) => {
    const [images, height, width, channels] = x.shape as [number, number, number, number];
    const [, outHeight, outWidth, outputs] = gy.shape as [number, number, number, number];
    const tilesY = Math.ceil(outHeight / winogradTile);
    const tilesX = Math.ceil(outWidth / winogradTile);
    const tiles = images * tilesY * tilesX;
    const rowIn = multipleOf(channels, 4);
    const rowOut = multipleOf(outputs, 4);
    const most = Math.max(16, Math.floor(bandBytes / (winogradMatrices * 4 * (rowIn + rowOut))));
    const band = Math.min(tiles, multipleOf(Math.ceil(tiles / Math.ceil(tiles / most)), 4));
    const stepIn = winogradMatrixStep(band * rowIn);
    const stepOut = winogradMatrixStep(band * rowOut);
    const pairs = outputs * channels;

    const seen = scratch(winogradMatrices * stepIn * 4);
    const spread = scratch(winogradMatrices * stepOut * 4);
    const packed = scratch(
      packedBytes({ matrices: winogradMatrices, n: channels, channels: band, taps: 1, zeros: panelColumns }),
    );
    // The product starts its sums in the result, so that a sum that goes on is read from elsewhere.
    const sums = [0, 1].map(() => scratch(winogradMatrices * pairs * 4));
    const outputScratch = scratch(outputBytes * machine.threads);

    const steps: WasmStep[] = [];
    let turn = 0;
    for (let first = 0; first < tiles; first += band) {
      const count = Math.min(band, tiles - first);
      const layout = { matrices: winogradMatrices, n: channels, channels: count, taps: 1, zeros: panelColumns };
      const least = Math.ceil(2 ** 12 / Math.max(rowIn, rowOut));
      const { size, chunks } = splitWork(count, machine, { multiple: 4, least });
      const rows = splitWork(winogradMatrices * count, machine, { least: Math.ceil(2 ** 15 / channels) });
      turn = 1 - turn;
      steps.push(
        winogradInputStep(
          {
            x,
            size: [height, width, x.shape[3]!],
            padding,
            grid: [tilesY, tilesX, first, count],
            transformed: seen,
            stepIn,
            rowIn,
          },
          machine,
        ),
        {
          fn: 'winogradOutputGradient',
          args: [
            ...[gy, spread, outHeight, outWidth, outputs, tilesY, tilesX, first, count, size, stepOut * 4, rowOut * 4],
            ...[outputScratch, outputBytes, f32(2), f32(1 / 2)],
          ],
          chunks,
        },
        {
          fn: 'packTiles',
          args: [seen, packed, winogradMatrices, channels, count, rowIn * 4, stepIn * 4, rows.size, panelColumns * 4],
          chunks: rows.chunks,
        },
        ...product(
          {
            fn: 'gemmTransposed',
            a: spread,
            packed,
            layout,
            c: sums[turn]!,
            m: outputs,
            lda: rowOut,
            ldc: channels,
            epilogue: [0, 0, 0, first === 0 ? 0 : sums[1 - turn]!, 0],
            batch: [{ size: winogradMatrices, a: stepOut, b: 1 }],
            matrixStride: pairs,
          },
          machine,
        ),
      );
    }
    const { size, chunks } = splitWork(pairs, machine, { least: 2 ** 9 });
    const own = scratch(weightBytes * machine.threads);
    steps.push({
      fn: 'winogradWeightGradient',
      args: [sums[turn]!, gw, pairs, pairs * 4, size, own, weightBytes],
      chunks,
    });
    return steps;
  },
};

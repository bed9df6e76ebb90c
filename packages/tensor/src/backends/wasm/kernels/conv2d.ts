import type { Conv2dInputs, Conv2dParams } from '../../../ops/conv2d-forward.js';
import type { Slot } from '../../../kernel.js';
import { sizeOf } from '../../../shape.js';
import { library } from '../library.generated.js';
import { splitWork, type WasmKernel, type WasmPrepared } from '../program.js';
import { convolutionAlgorithm } from './convolution-algorithm.js';
import { epilogueArguments } from './epilogue.js';
import { product } from './gemm.js';
import { packedWeight, panelColumns } from './packing.js';
import { conv2dWinogradWasm } from './winograd.js';

/** Convolution by the algorithm that suits its shape. */
export const conv2dWasm: WasmKernel<Conv2dInputs, { y: Slot }, Conv2dParams> = {
  library,
  program(inputs, outputs, params, machine) {
    const [images, height, width] = outputs.y.shape as [number, number, number];
    const [outChannels, channels, kernelY, kernelX] = inputs.weight.shape as [number, number, number, number];
    const algorithm = convolutionAlgorithm({
      ...params,
      images,
      output: [height, width],
      channels,
      outputs: outChannels,
      kernel: [kernelY, kernelX],
    });
    const kernel = algorithm === 'winograd4' ? conv2dWinogradWasm : conv2dImplicitWasm;
    return kernel.program(inputs, outputs, params, machine);
  },
};

/** Convolution as a product without an im2col copy: the rows of the left operand are what the kernel sees of the image. */
export const conv2dImplicitWasm: WasmKernel<Conv2dInputs, { y: Slot }, Conv2dParams> = {
  library,
  program(inputs, { y }, { stride, padding, dilation, groups, activation }, machine) {
    const { x, weight } = inputs;
    const [images, height, width, channels] = x.shape as [number, number, number, number];
    const [, outHeight, outWidth, outChannels] = y.shape as [number, number, number, number];
    const [, perGroup, kernelY, kernelX] = weight.shape as [number, number, number, number];
    const taps = kernelY * kernelX;
    const n = outChannels / groups;
    const pointwise = taps === 1 && stride[0] * stride[1] === 1 && padding[0] + padding[1] === 0;
    const zeros = pointwise ? panelColumns : Math.max(panelColumns, kernelX * perGroup);
    const layout = { matrices: groups, n, channels: perGroup, taps, zeros };
    return product(
      {
        fn: pointwise ? 'gemm' : 'gemmConv',
        a: x,
        packed: packedWeight(weight, layout, machine),
        layout,
        c: y,
        m: images * outHeight * outWidth,
        lda: channels,
        ldc: outChannels,
        epilogue: epilogueArguments(inputs, activation),
        batch: [{ size: groups, a: perGroup, b: 1 }],
        channelStride: n,
        convolution: {
          input: [height, width, channels],
          output: [outHeight, outWidth],
          kernel: [kernelY, kernelX],
          stride,
          padding,
          dilation,
        },
      },
      machine,
    );
  },
};

/** One filter per channel, vectorised over the channels. */
export const depthwiseConv2dWasm: WasmKernel<Conv2dInputs, { y: Slot }, Conv2dParams> = {
  library,
  program(inputs, { y }, { stride, padding, dilation, activation }, machine) {
    if (sizeOf(y.shape) === 0) return [];
    const { x, weight } = inputs;
    const [, height, width, channels] = x.shape as [number, number, number, number];
    const [images, outHeight, outWidth] = y.shape as [number, number, number, number];
    const [, , kernelY, kernelX] = weight.shape as [number, number, number, number];
    const taps = kernelY * kernelX;
    const rows = images * outHeight;
    const least = Math.ceil(2 ** 18 / (outWidth * channels * taps));
    const { size, chunks } = splitWork(rows, machine, { least });
    const filters: WasmPrepared = {
      kind: 'prepared',
      of: weight,
      key: 'taps × channels',
      bytes: taps * channels * 4,
      fill: (target) => [{ fn: 'packDepthwise', args: [weight, target, channels, taps], chunks: 1 }],
    };
    const geometry = [
      height,
      width,
      channels,
      outHeight,
      outWidth,
      kernelY,
      kernelX,
      ...stride,
      ...padding,
      ...dilation,
    ];
    const args = [x, filters, y, ...geometry, rows, size, ...epilogueArguments(inputs, activation)];
    return [{ fn: 'depthwise', args, chunks }];
  },
};

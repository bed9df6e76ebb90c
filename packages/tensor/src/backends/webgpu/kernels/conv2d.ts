import type { Bound, Slot } from '../../../kernel.js';
import type { Conv2dInputs, Conv2dParams } from '../../../ops/conv2d-forward.js';
import type { WebGpuKernel, WebGpuMachine, WebGpuOperand } from '../program.js';
import { epilogueBindings, epilogueShape } from './epilogue.wgsl.js';
import type { LeftOperand } from './gemm-operands.wgsl.js';
import { product, type Product } from './gemm.js';
import { packedWeight } from './packing.js';

/** Convolution as a product without an im2col copy: the rows of the left operand are what the kernel sees of the image. */
export function conv2dProduct(
  inputs: Bound<Conv2dInputs, WebGpuOperand>,
  { y }: { readonly y: WebGpuOperand },
  { stride, padding, dilation, groups, activation }: Conv2dParams,
  machine: WebGpuMachine,
): Product {
  const { x, weight } = inputs;
  const [, height, width, pixel] = x.shape as [number, number, number, number];
  const [images, outHeight, outWidth, outChannels] = y.shape as [number, number, number, number];
  const [, channels, kernelY, kernelX] = weight.shape as [number, number, number, number];
  const taps = kernelY * kernelX;
  const n = outChannels / groups;
  const vectors = channels % 4 === 0;
  const pointwise = groups === 1 && taps === 1 && stride[0] * stride[1] === 1 && padding[0] + padding[1] === 0;
  const left: LeftOperand = pointwise
    ? { kind: 'matrix', transposed: false, vectors, axes: 0 }
    : { kind: 'image', channels, pixel, kernel: [kernelY, kernelX], stride, padding, dilation, vectors };
  return {
    ...{ matrices: groups, m: images * outHeight * outWidth, n, k: channels * taps },
    left,
    leftFrom: x,
    right: { kind: 'packed' },
    rightFrom: packedWeight(weight, { matrices: groups, columns: n, channels, taps }, machine),
    uniforms: pointwise ? {} : { height, width, outHeight, outWidth },
    ...{ to: y, rowStride: outChannels, matrixStride: n },
    epilogue: epilogueShape(inputs, activation),
    epilogueBindings: epilogueBindings(inputs),
  };
}

export const conv2dWebGpu: WebGpuKernel<Conv2dInputs, { y: Slot }, Conv2dParams> = (inputs, outputs, params, machine) =>
  product(conv2dProduct(inputs, outputs, params, machine), machine);

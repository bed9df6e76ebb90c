import type { Bound, Slot } from '../../../kernel.js';
import type { Conv2dInputs, Conv2dParams, ConvGeometry } from '../../../ops/conv2d-forward.js';
import type { ConvolutionShape } from '../../convolution.js';
import {
  takingHalves,
  type HalfOperands,
  type WebGpuBinding,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuResource,
} from '../program.js';
import { chooseConvolution } from './convolution-algorithm.js';
import { epilogueBindings, epilogueShape, type EpilogueShape } from './epilogue.wgsl.js';
import type { LeftOperand } from './gemm-operands.wgsl.js';
import { product, type Product } from './gemm.js';
import { packedWeight, type ChannelRange } from './packing.js';
import { winogradSteps } from './winograd.js';

/** A dense or grouped convolution, of a range of its weight's channels (per group). */
export interface Convolution extends ConvGeometry {
  readonly x: WebGpuOperand;
  readonly weight: WebGpuOperand;
  readonly range: ChannelRange;
  readonly y: WebGpuOperand;
  /** Where sums go instead, in f32. */
  readonly to?: WebGpuResource;
  readonly epilogue: EpilogueShape;
  readonly epilogueBindings: readonly WebGpuBinding[];
}

/** What the choice of an algorithm depends on. */
export function shapeOf({ weight, range, y, stride, dilation, groups }: Convolution): ConvolutionShape {
  const [images, height, width, outputs] = y.shape as [number, number, number, number];
  const kernel = weight.shape.slice(2) as [number, number];
  return { images, output: [height, width], channels: range.count, outputs, kernel, stride, dilation, groups };
}

/** Convolution as a product without an im2col copy: the rows of the left operand are what the kernel sees of the image. */
export function convolutionProduct(c: Convolution, machine: WebGpuMachine): Product {
  const { x, weight, range, y, stride, padding, dilation, groups } = c;
  const [, height, width, pixel] = x.shape as [number, number, number, number];
  const [images, outHeight, outWidth, outChannels] = y.shape as [number, number, number, number];
  const [, allChannels, kernelY, kernelX] = weight.shape as [number, number, number, number];
  const channels = range.count;
  const taps = kernelY * kernelX;
  const n = outChannels / groups;
  const vectors = channels % 4 === 0;
  const half = machine.weightStorage === 'f16';
  const pointwise = groups === 1 && taps === 1 && stride[0] * stride[1] === 1 && padding[0] + padding[1] === 0;
  const left: LeftOperand = pointwise
    ? { kind: 'matrix', transposed: false, vectors, axes: 0 }
    : { kind: 'image', channels, pixel, kernel: [kernelY, kernelX], stride, padding, dilation, vectors };
  const layout = { matrices: groups, columns: n, channels: allChannels, taps, range, half };
  return {
    ...{ matrices: groups, m: images * outHeight * outWidth, n, k: channels * taps },
    left,
    leftFrom: x,
    right: { kind: 'packed', half },
    rightFrom: packedWeight(weight, layout, machine),
    uniforms: pointwise ? {} : { height, width, outHeight, outWidth },
    ...{ to: c.to ?? y, rowStride: outChannels, matrixStride: n },
    ...{ epilogue: c.epilogue, epilogueBindings: c.epilogueBindings },
  };
}

export function convolutionOf(
  inputs: Bound<Conv2dInputs, WebGpuOperand>,
  { y }: { readonly y: WebGpuOperand },
  { stride, padding, dilation, groups, activation }: Conv2dParams,
  machine: WebGpuMachine,
): Convolution {
  const { x, weight } = inputs;
  return {
    ...{ x, weight, y, range: { first: 0, count: weight.shape[1]! }, stride, padding, dilation, groups },
    ...{ epilogue: epilogueShape(inputs, activation, machine), epilogueBindings: epilogueBindings(inputs) },
  };
}

type Conv2dKernel = WebGpuKernel<Conv2dInputs, { y: Slot }, Conv2dParams>;

/** A group's outputs are written four at a time. */
const wholeGroups: HalfOperands<Conv2dInputs, { y: Slot }, Conv2dParams>['results'] = (_inputs, { y }, { groups }) =>
  (y.shape[3]! / groups) % 4 === 0;

const taking = (kernel: Conv2dKernel): Conv2dKernel => takingHalves(['x', 'residual', 'y'], kernel, wholeGroups);

/** As a direct sum always. */
export const conv2dImplicitWebGpu = taking((inputs, outputs, params, machine) =>
  product(convolutionProduct(convolutionOf(inputs, outputs, params, machine), machine), machine),
);

/** By Winograd's algorithm always; for a 3×3 kernel without groups, strides and dilation. */
export const conv2dWinogradWebGpu = taking((inputs, outputs, params, machine) =>
  winogradSteps(convolutionOf(inputs, outputs, params, machine), machine),
);

/** By the algorithm that suits the shape. */
export const conv2dWebGpu = taking((inputs, outputs, params, machine) => {
  const algorithm = chooseConvolution(shapeOf(convolutionOf(inputs, outputs, params, machine)));
  const kernel = algorithm === 'winograd4' ? conv2dWinogradWebGpu : conv2dImplicitWebGpu;
  return kernel(inputs, outputs, params, machine);
});

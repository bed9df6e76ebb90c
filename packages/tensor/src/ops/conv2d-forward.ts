import { conv2dReference } from '../backends/reference/conv2d.js';
import { conv2dWasm, depthwiseConv2dWasm } from '../backends/wasm/kernels/conv2d.js';
import { conv2dWebGpu } from '../backends/webgpu/kernels/conv2d.js';
import { depthwiseConv2dWebGpu } from '../backends/webgpu/kernels/conv2d-depthwise.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { pair, showShape, sizeOf, type Pair } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDType, checkRank } from './check.js';
import { epilogueInputs, type Activation, type EpilogueOptions, type EpilogueSlots } from './epilogue.js';

export interface Conv2dOptions extends EpilogueOptions {
  /** Default: 1. */
  readonly stride?: Pair;
  /** Zeros on each side. Default: 0. */
  readonly padding?: Pair;
  /** Default: 1. */
  readonly dilation?: Pair;
  /** Input and output channels fall into this many independent groups. Default: 1. */
  readonly groups?: number;
}

/** Slots: x `[N, H, W, C]`, weight `[O, C / groups, kH, kW]`, y `[N, Ho, Wo, O]`. */
export interface Conv2dInputs extends EpilogueSlots {
  readonly x: Slot;
  readonly weight: Slot;
}

/** Pairs are `[vertical, horizontal]`. */
export interface ConvGeometry {
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

export interface Conv2dParams extends ConvGeometry {
  readonly activation: Activation;
}

export function convGeometry(options: Conv2dOptions): ConvGeometry {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  return { stride: pair(stride), padding: pair(padding), dilation: pair(dilation), groups };
}

/** A multiply-add is two operations; the epilogue is not counted. */
const flops = ({ weight }: { readonly weight: Slot }, { y }: { readonly y: Slot }): number =>
  2 * sizeOf(y.shape) * sizeOf(weight.shape.slice(1));

const conv2dKernel = defineKernel<Conv2dInputs, { y: Slot }, Conv2dParams>('conv2d', {
  flops,
  reference: conv2dReference,
  wasm: conv2dWasm,
  webgpu: conv2dWebGpu,
});

/** One filter per channel: `groups` = C = O. */
const depthwiseConv2dKernel = defineKernel<Conv2dInputs, { y: Slot }, Conv2dParams>('depthwiseConv2d', {
  flops,
  reference: conv2dReference,
  wasm: depthwiseConv2dWasm,
  webgpu: depthwiseConv2dWebGpu,
});

/** Output size of a convolution along one axis, as PyTorch counts it. */
export function convOutputSize(
  input: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): number {
  return Math.floor((input + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

/** Runs the kernel alone, without a gradient. */
export function runConv2d(x: Tensor, weight: Tensor, options: Conv2dOptions = {}): Tensor {
  checkDType('conv2d x', x);
  checkDType('conv2d weight', weight);
  checkRank('conv2d x', x, 4, '[N, H, W, C]');
  checkRank('conv2d weight', weight, 4, '[O, C / groups, kH, kW]');
  const [n, h, w, c] = x.shape as [number, number, number, number];
  const [o, perGroup, kh, kw] = weight.shape as [number, number, number, number];
  const { stride, padding, dilation, groups } = convGeometry(options);
  checkIntegers('groups', [groups], 1);
  if (perGroup * groups !== c || o % groups !== 0) {
    throw new ShapeError(
      `conv2d: weight ${showShape(weight.shape)} with groups ${groups} does not fit x ${showShape(x.shape)}: needs C = ${perGroup} × groups and O divisible by groups`,
    );
  }
  checkIntegers('stride', stride, 1);
  checkIntegers('padding', padding, 0);
  checkIntegers('dilation', dilation, 1);
  const ho = convOutputSize(h, kh, stride[0], padding[0], dilation[0]);
  const wo = convOutputSize(w, kw, stride[1], padding[1], dilation[1]);
  if (!(ho > 0 && wo > 0)) {
    throw new ShapeError(
      `conv2d: a ${kh}×${kw} kernel (dilation ${dilation.join('×')}) does not fit an input of ${h}×${w} with padding ${padding.join('×')}`,
    );
  }
  const shape = [n, ho, wo, o];
  const inputs = { x, weight, ...epilogueInputs('conv2d', options, shape) };
  const y = x.device.empty(shape);
  const kernel = groups > 1 && groups === c && groups === o ? depthwiseConv2dKernel : conv2dKernel;
  const activation = options.activation ?? 'none';
  x.device.enqueue(kernel, { inputs, outputs: { y }, params: { stride, padding, dilation, groups, activation } });
  return y;
}

function checkIntegers(name: string, values: readonly number[], least: number): void {
  if (!values.every((value) => Number.isSafeInteger(value) && value >= least)) {
    throw new ShapeError(`conv2d: ${name} must be an integer of at least ${least}, got ${values.join('×')}`);
  }
}

import { copyReference } from '../backends/reference/layout.js';
import { copyWasm } from '../backends/wasm/kernels/layout.js';
import { copyWebGpu } from '../backends/webgpu/kernels/layout.js';
import { defineKernel, type Slot } from '../kernel.js';
import { broadcastStrides, sizeOf, stridesOf, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';

/**
 * Moves a block of `shape` between two strided places; strides and offsets are in elements, strides may be negative or
 * 0. Any dtype; both tensors have the same.
 */
export interface CopyParams {
  readonly shape: Shape;
  readonly fromStrides: readonly number[];
  readonly fromOffset: number;
  readonly toStrides: readonly number[];
  readonly toOffset: number;
}

const copyKernel = defineKernel<{ x: Slot }, { y: Slot }, CopyParams>('copy', {
  reference: copyReference,
  wasm: copyWasm,
  webgpu: copyWebGpu,
});

/** Runs the kernel alone: part of `from` overwrites part of `to`. */
export function copyBlock(from: Tensor, to: Tensor, params: CopyParams): void {
  if (sizeOf(params.shape) > 0) to.device.enqueue(copyKernel, { inputs: { x: from }, outputs: { y: to }, params });
}

/** A new tensor from strided places of `x`. */
export function gather(x: Tensor, shape: Shape, fromStrides: readonly number[], fromOffset: number): Tensor {
  const y = x.device.empty(shape, x.dtype);
  copyBlock(x, y, { shape, fromStrides, fromOffset, toStrides: stridesOf(shape), toOffset: 0 });
  return y;
}

/** `x` repeated along broadcast axes. */
export const repeat = (x: Tensor, shape: Shape): Tensor => gather(x, shape, broadcastStrides(x.shape, shape), 0);

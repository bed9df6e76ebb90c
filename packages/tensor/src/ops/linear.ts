import { linearReference, matmulReference } from '../backends/reference/linear.js';
import { linearWasm, matmulWasm } from '../backends/wasm/kernels/linear.js';
import { linearWebGpu, matmulWebGpu } from '../backends/webgpu/kernels/linear.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { broadcastShapes, showShape, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDType, checkRank } from './check.js';
import { epilogueInputs, type Activation, type EpilogueOptions, type EpilogueSlots } from './epilogue.js';

/** Slots: x `[…, K]`, weight `[O, K]`, y `[…, O]`. */
export interface LinearInputs extends EpilogueSlots {
  readonly x: Slot;
  readonly weight: Slot;
}

export interface LinearParams {
  readonly activation: Activation;
}

const linearKernel = defineKernel<LinearInputs, { y: Slot }, LinearParams>('linear', {
  flops: ({ weight }, { y }) => 2 * sizeOf(y.shape) * weight.shape[1]!,
  reference: linearReference,
  wasm: linearWasm,
  webgpu: linearWebGpu,
});

/**
 * `x · weightᵀ` over the last axis, with an optional {@link EpilogueOptions | epilogue}.
 *
 * @param x `[…, K]`, f32.
 * @param weight `[O, K]`: PyTorch's layout.
 * @returns `[…, O]`.
 * @throws ShapeError when the last axis of `x` is not K.
 */
export function linear(x: Tensor, weight: Tensor, options: EpilogueOptions = {}): Tensor {
  checkDType('linear x', x);
  checkDType('linear weight', weight);
  checkRank('linear weight', weight, 2, '[O, K]');
  const [o, k] = weight.shape as [number, number];
  if (x.shape.length === 0 || x.shape.at(-1) !== k) {
    throw new ShapeError(`linear: x ${showShape(x.shape)} must end in K = ${k} of weight ${showShape(weight.shape)}`);
  }
  const shape = [...x.shape.slice(0, -1), o];
  const inputs = { x, weight, ...epilogueInputs('linear', options, shape) };
  const y = x.device.empty(shape);
  x.device.enqueue(linearKernel, { inputs, outputs: { y }, params: { activation: options.activation ?? 'none' } });
  return y;
}

export interface MatmulOptions {
  /** Reads `a` as `[…, K, M]`. Default: false. */
  readonly transposeA?: boolean;
  /** Reads `b` as `[…, N, K]`. Default: false. */
  readonly transposeB?: boolean;
}

/** Slots: a `[…, M, K]`, b `[…, K, N]` (before transposing), y `[…, M, N]`; leading axes broadcast. */
export interface MatmulInputs {
  readonly a: Slot;
  readonly b: Slot;
}

export interface MatmulParams {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
}

const matmulKernel = defineKernel<MatmulInputs, { y: Slot }, MatmulParams>('matmul', {
  flops: ({ a }, { y }, { transposeA }) => 2 * sizeOf(y.shape) * a.shape.at(transposeA ? -2 : -1)!,
  reference: matmulReference,
  wasm: matmulWasm,
  webgpu: matmulWebGpu,
});

/**
 * Matrix product of the last two axes; the leading axes broadcast.
 *
 * @param a `[…, M, K]`, f32. @param b `[…, K, N]`, f32.
 * @returns `[…, M, N]`.
 * @throws ShapeError when the inner sizes differ or the leading axes do not broadcast.
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions = {}): Tensor {
  checkDType('matmul a', a);
  checkDType('matmul b', b);
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new ShapeError(`matmul: needs matrices, got shapes ${showShape(a.shape)} and ${showShape(b.shape)}`);
  }
  const [m, ka] = lastTwo(a, transposeA);
  const [kb, n] = lastTwo(b, transposeB);
  if (ka !== kb) {
    throw new ShapeError(
      `matmul: inner sizes differ: ${ka} of ${showShape(a.shape)} against ${kb} of ${showShape(b.shape)}`,
    );
  }
  const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), 'matmul');
  const y = a.device.empty([...batch, m, n]);
  a.device.enqueue(matmulKernel, { inputs: { a, b }, outputs: { y }, params: { transposeA, transposeB } });
  return y;
}

function lastTwo(tensor: Tensor, transpose: boolean): readonly [number, number] {
  const [rows, columns] = tensor.shape.slice(-2) as [number, number];
  return transpose ? [columns, rows] : [rows, columns];
}

import { linearReference, matmulReference } from '../backends/reference/linear.js';
import { linearWasm, matmulWasm } from '../backends/wasm/kernels/linear.js';
import { linearWebGpu, matmulWebGpu } from '../backends/webgpu/kernels/linear.js';
import { keptInCheckpoint } from '../autograd/kept-results.js';
import { differentiable, type Gradient } from '../autograd/tape.js';
import { ShapeError } from '../errors.js';
import { defineKernel, type Slot } from '../kernel.js';
import { scope } from '../scope.js';
import { broadcastShapes, showShape, sizeOf } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDType, checkRank } from './check.js';
import {
  applyEpilogue,
  biasOnly,
  epilogueInputs,
  tracksEpilogue,
  type Activation,
  type EpilogueOptions,
  type EpilogueSlots,
} from './epilogue.js';
import { reshape } from './layout.js';
import { sumTo } from './reduce.js';

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

export interface LinearOptions extends EpilogueOptions {
  /**
   * Whether a checkpoint keeps the product, bias included, instead of computing it again in the backward pass: memory for
   * time, at its best where a long axis becomes a short one. Default: false.
   */
  readonly keptInCheckpoint?: boolean;
}

/**
 * `x · weightᵀ` over the last axis, with an optional {@link EpilogueOptions | epilogue}.
 *
 * @param x `[…, K]`, f32.
 * @param weight `[O, K]`: PyTorch's layout.
 * @returns `[…, O]`.
 * @throws ShapeError when the last axis of `x` is not K.
 */
export function linear(x: Tensor, weight: Tensor, options: LinearOptions = {}): Tensor {
  checkDType('linear x', x);
  checkDType('linear weight', weight);
  checkRank('linear weight', weight, 2, '[O, K]');
  const [o, k] = weight.shape as [number, number];
  if (x.shape.length === 0 || x.shape.at(-1) !== k) {
    throw new ShapeError(`linear: x ${showShape(x.shape)} must end in K = ${k} of weight ${showShape(weight.shape)}`);
  }
  const shape = [...x.shape.slice(0, -1), o];
  if (tracksEpilogue(options, x, weight)) {
    epilogueInputs('linear', options, shape);
    const product = { ...biasOnly(options), keptInCheckpoint: options.keptInCheckpoint ?? false };
    return scope(() => applyEpilogue(linear(x, weight, product), options));
  }
  const inputs = { x, weight, ...epilogueInputs('linear', options, shape) };
  const compute = (): Tensor => {
    const y = x.device.empty(shape);
    x.device.enqueue(linearKernel, { inputs, outputs: { y }, params: { activation: options.activation ?? 'none' } });
    return y;
  };
  return differentiable(options.keptInCheckpoint ? keptInCheckpoint(compute) : compute(), {
    name: 'linear',
    inputs: [x, weight, options.bias],
    saved: [x, weight],
    gradient: linearGradient,
  });
}

const linearGradient: Gradient = (gy, saved, needed) => {
  const [x, weight] = saved as readonly [Tensor, Tensor];
  const rows = reshape(gy, [-1, weight.shape[0]!]);
  return [
    needed[0] ? reshape(matmul(rows, weight), x.shape) : null,
    needed[1] ? matmul(rows, reshape(x, [-1, weight.shape[1]!]), { transposeA: true }) : null,
    needed[2] ? sumTo(rows, [weight.shape[0]!]) : null,
  ];
};

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
  const gradient: Gradient = (gy, saved, needed) => {
    const [left, right] = saved as readonly [Tensor, Tensor];
    const ga = (): Tensor =>
      transposeA
        ? matmul(right, gy, { transposeA: transposeB, transposeB: true })
        : matmul(gy, right, { transposeB: !transposeB });
    const gb = (): Tensor =>
      transposeB
        ? matmul(gy, left, { transposeA: true, transposeB: transposeA })
        : matmul(left, gy, { transposeA: !transposeA });
    return [needed[0] ? sumTo(ga(), left.shape) : null, needed[1] ? sumTo(gb(), right.shape) : null];
  };
  return differentiable(y, { name: 'matmul', inputs: [a, b], saved: [a, b], gradient });
}

function lastTwo(tensor: Tensor, transpose: boolean): readonly [number, number] {
  const [rows, columns] = tensor.shape.slice(-2) as [number, number];
  return transpose ? [columns, rows] : [rows, columns];
}

/**
 * What a kernel is. An operator declares its kernel once with {@link defineKernel}; each implementation is a pure
 * description of work that the backend of that name executes. Packages outside `@ii/tensor` define kernels through
 * this same door.
 */
import type { DType } from './dtype.js';
import type { ReferenceArray } from './backends/reference/backend.js';
import type { WasmKernel } from './backends/wasm/program.js';
import type { WebGpuKernel } from './backends/webgpu/program.js';
import type { Shape } from './shape.js';

/** What an implementation knows of a tensor without its data. */
export interface TensorSpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Marks a slot in a kernel's signature; write `bias?: Slot` where a tensor may be left out. */
export type Slot = TensorSpec;

/** The tensors of a kernel by name. */
export type Signature<S> = { readonly [K in keyof S]: Slot };

/** A signature with each slot bound to a `T`; optional slots stay optional. */
export type Bound<S, T> = { readonly [K in keyof S]: T };

/** Plain numbers, strings, booleans and lists of numbers: what a kernel is told besides its tensors. */
export type KernelParams = object;

export interface KernelImplementations<I extends Signature<I>, O extends Signature<O>, P extends KernelParams> {
  /** Plain loops over f64 arrays: the oracle of the tests. */
  readonly reference?: (inputs: Bound<I, ReferenceArray>, outputs: Bound<O, ReferenceArray>, params: P) => void;
  /** Floating-point operations of the plain algorithm (a multiply-add is 2), for traces. Default: not counted. */
  readonly flops?: (inputs: Bound<I, TensorSpec>, outputs: Bound<O, TensorSpec>, params: P) => number;
  /** Steps for the CPU device: exported functions of a WebAssembly library over shared memory. */
  readonly wasm?: WasmKernel<I, O, P>;
  /** Steps for the GPU device: WGSL shaders and what they are bound to. */
  readonly webgpu?: WebGpuKernel<I, O, P>;
}

export interface Kernel<
  I extends Signature<I>,
  O extends Signature<O>,
  P extends KernelParams,
> extends KernelImplementations<I, O, P> {
  /** Names the kernel in traces and errors. */
  readonly name: string;
}

/** Declares a kernel: a name and an implementation for each backend that has one. */
export function defineKernel<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
  name: string,
  implementations: KernelImplementations<I, O, P>,
): Kernel<I, O, P> {
  return { name, ...implementations };
}

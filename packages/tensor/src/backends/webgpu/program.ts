/**
 * The vocabulary in which a kernel describes its work to the GPU: a program is a list of steps; a step is a WGSL
 * shader, the buffers that it is bound to, its uniform words and the size of its grid. Steps run one after the other:
 * each sees what those before it wrote.
 *
 * A shader's entry point is `main`. Its buffers are `@group(0)`, numbered as they are listed in the step; its uniform
 * words are `@group(1) @binding(0)` (see `wgsl.ts`, which writes both declarations).
 */
import type { Bound, KernelParams, Signature, TensorSpec } from '../../kernel.js';
import type { LaunchChooser } from '../../launches.js';

/**
 * The text of a shader. Made by {@link defineShader}, so that equal parameters give the same object: the backend finds
 * the compiled pipeline by it.
 */
export interface WebGpuShader {
  /** Names the shader in traces and errors; no need to be unique. */
  readonly name: string;
  readonly code: string;
}

/** A tensor operand. f16 and u8 elements are packed, two or four to a u32, the first in the lowest bits. */
export interface WebGpuOperand extends TensorSpec {
  readonly kind: 'operand';
  /**
   * How the elements of an f32 tensor lie in memory: `floats.wgsl.ts` reads and writes either. Only operands that a kernel
   * names as {@link HalfOperands} are ever halves. Default: `f32`.
   */
  readonly storage?: 'f32' | 'f16' | undefined;
}

/** Memory that lives for one program; its contents are unspecified at first. */
export interface WebGpuScratch {
  readonly kind: 'scratch';
  readonly bytes: number;
}

/**
 * A derived form of an operand (repacked, transformed weights) that the backend makes once and keeps with the operand
 * until its contents change.
 */
export interface WebGpuPrepared {
  readonly kind: 'prepared';
  readonly of: WebGpuOperand;
  /** Names the form; equal keys on one operand are the same data. */
  readonly key: string;
  readonly bytes: number;
  /** The steps that fill it; `target` stands for the prepared memory. */
  readonly fill: (target: WebGpuResource) => readonly WebGpuStep[];
}

/** Stands for the target of a {@link WebGpuPrepared} while it is filled. */
export interface WebGpuTarget {
  readonly kind: 'target';
}

/** Memory that a shader can be bound to; it has at least 16 bytes, and a multiple of 256. */
export type WebGpuResource = WebGpuOperand | WebGpuScratch | WebGpuPrepared | WebGpuTarget;

export interface WebGpuBinding {
  readonly resource: WebGpuResource;
  /** As declared in the shader. One step may read a buffer twice, but not read and write it. */
  readonly access: 'read' | 'read_write';
}

/** Workgroups along x, y and z, each at most {@link WebGpuMachine.maxWorkgroupsPerDimension}. */
export type WorkgroupGrid = readonly [x: number, y: number, z: number];

export interface WebGpuStep {
  readonly shader: WebGpuShader;
  readonly bindings: readonly WebGpuBinding[];
  /** At most {@link maxUniformWords} 32-bit patterns, from `UniformBlock.words`; absent for a shader without uniforms. */
  readonly uniforms?: readonly number[];
  /** A step without work is left out of the program instead. */
  readonly workgroups: WorkgroupGrid;
  /** The class of shapes for which its launch parameters were chosen (`LaunchChooser.choose`), where they were. */
  readonly launch?: string;
}

/** What a kernel may adapt its program to: the device's features and limits. */
export interface WebGpuMachine {
  /** Whether shaders may `enable f16`. */
  readonly f16: boolean;
  /** How kernels store the weights of products that they prepare; sums are f32 in any case. */
  readonly weightStorage: 'f32' | 'f16';
  /** Whether shaders may `enable subgroups`. */
  readonly subgroups: boolean;
  /** Invocations of a subgroup lie between these; both are 0 without {@link subgroups}. */
  readonly minSubgroupSize: number;
  readonly maxSubgroupSize: number;
  /** Largest buffer that a shader can be bound to, which is also the largest tensor. At least 128 MiB. */
  readonly maxBindingBytes: number;
  /** Buffers that one shader can be bound to. At least 8. */
  readonly maxStorageBuffers: number;
  /** Bytes of `var<workgroup>`. At least 16 KiB. */
  readonly maxWorkgroupBytes: number;
  /** Invocations of a workgroup. At least 256 (128 on devices of the compatibility level). */
  readonly maxInvocations: number;
  /** Workgroups along one axis of a grid. At least 65,535. */
  readonly maxWorkgroupsPerDimension: number;
  /** Whether the adapter is the CPU in disguise: there, long shaders take longer to compile than they save. Default: false. */
  readonly software?: boolean;
  /** As the adapter describes itself, lower case, possibly empty: for choices by kind of GPU and tuning tables. */
  readonly vendor: string;
  readonly architecture: string;
  /** Launch parameters measured on this device. Absent: kernels go by their own estimates. */
  readonly launches?: LaunchChooser;
}

/** Which of a kernel's f32 operands may be stored as halves; the backend converts the others for it. */
export interface HalfOperands<I extends Signature<I>, O extends Signature<O>, P extends KernelParams> {
  readonly slots: readonly (keyof I | keyof O)[];
  /**
   * Whether new results are to be halves on a device that stores activations so. Default: where the rows of each are whole
   * vectors of four, as which halves are written.
   */
  readonly results?:
    ((inputs: Bound<I, WebGpuOperand>, outputs: Bound<O, TensorSpec>, params: P) => boolean) | undefined;
}

/**
 * A kernel's work on the GPU as a pure description: no GPU is needed to call it, and calls with operands of equal shapes and
 * equal parameters share what it returned the first time.
 */
export interface WebGpuKernel<I extends Signature<I>, O extends Signature<O>, P extends KernelParams> {
  (
    inputs: Bound<I, WebGpuOperand>,
    outputs: Bound<O, WebGpuOperand>,
    params: P,
    machine: WebGpuMachine,
  ): readonly WebGpuStep[];
  /** Default: none of its operands may be halves. */
  readonly halves?: HalfOperands<I, O, P> | undefined;
  /** Whether the parameters are others in each call, so that it is not worth keeping what it returned. Default: false. */
  readonly changing?: boolean | undefined;
}

/** Whether a tensor's rows are whole vectors of four. */
export const rowsOfVectors = ({ shape }: TensorSpec): boolean => (shape.at(-1) ?? 1) % 4 === 0;

/** A kernel of which some operands may be stored as halves. */
export function takingHalves<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
  slots: HalfOperands<I, O, P>['slots'],
  kernel: (...call: Parameters<WebGpuKernel<I, O, P>>) => readonly WebGpuStep[],
  results?: HalfOperands<I, O, P>['results'],
): WebGpuKernel<I, O, P> {
  return Object.assign((...call: Parameters<WebGpuKernel<I, O, P>>) => kernel(...call), { halves: { slots, results } });
}

/** Words of a uniform block; 256 bytes, the alignment of uniform offsets. */
export const maxUniformWords = 64;

export const read = (resource: WebGpuResource): WebGpuBinding => ({ resource, access: 'read' });
/** A buffer that a step writes, and may also read. */
export const write = (resource: WebGpuResource): WebGpuBinding => ({ resource, access: 'read_write' });
export const gpuScratch = (bytes: number): WebGpuScratch => ({ kind: 'scratch', bytes });

/**
 * A shader whose text depends on `params`. What differs from call to call at one place in a model (image sizes, counts)
 * belongs in uniforms: every set of parameters is compiled once.
 *
 * @param params plain data; equal data give the same shader object.
 */
export function defineShader<P extends object>(name: string, code: (params: P) => string): (params: P) => WebGpuShader {
  const made = new Map<string, WebGpuShader>();
  return (params) => {
    const key = JSON.stringify(params);
    let shader = made.get(key);
    if (!shader) made.set(key, (shader = { name, code: code(params) }));
    return shader;
  };
}

/**
 * A grid of at least `count` workgroups, folded into two dimensions where one is not enough. The shader takes its place
 * from `linearWorkgroup` of `wgsl.ts` and leaves when that is not below `count`.
 */
export function linearGrid(count: number, machine: WebGpuMachine): WorkgroupGrid {
  const most = machine.maxWorkgroupsPerDimension;
  if (count <= most) return [count, 1, 1];
  const rows = Math.ceil(count / most);
  return [Math.ceil(count / rows), rows, 1];
}

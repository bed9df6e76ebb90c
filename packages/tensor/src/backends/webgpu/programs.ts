import { IIError } from '../../errors.js';
import type { Bound, Kernel, KernelParams, Signature } from '../../kernel.js';
import type { Launches } from '../../launches.js';
import type { Operand } from '../backend.js';
import { mapOperands } from '../operands.js';
import type { Pipeline, Pipelines } from './pipelines.js';
import {
  maxUniformWords,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuPrepared,
  type WebGpuResource,
  type WebGpuStep,
  type WorkgroupGrid,
} from './program.js';
import { UniformWords } from './uniform-arena.js';

/** How the elements of a call's tensors are stored: of its inputs and, after them, of its outputs. */
export type Storages = readonly { readonly halves: boolean }[];

/** An operand by its place among the inputs and, after them, the outputs of a call. */
export interface PlacedOperand extends WebGpuOperand {
  readonly place: number;
}

/** A step as it runs, whatever buffers it is bound to. */
export interface ProgramStep {
  readonly pipeline: Pipeline;
  /** What it is bound to; operands are {@link PlacedOperand}s. */
  readonly resources: readonly WebGpuResource[];
  readonly prepared: readonly WebGpuPrepared[];
  readonly uniforms: UniformWords | null;
  readonly grid: WorkgroupGrid;
  readonly launch: string | undefined;
}

export type Program = readonly ProgramStep[];

/** Programs kept for reuse; a training iteration of the largest models needs some hundreds. */
const keptPrograms = 8192;

/**
 * The programs of kernels. A kernel describes its work from shapes and parameters alone, so that equal calls have one
 * program, which is described once.
 */
export class Programs {
  readonly #byKernel = new Map<object, Map<string, Program>>();
  readonly #fills = new WeakMap<WebGpuPrepared, Program>();
  #kept = 0;
  /** Of the launch parameters that the programs were described with. */
  #version = 0;

  /** @param checkBytes throws where no buffer can be that large. */
  constructor(
    private readonly pipelines: Pipelines,
    private readonly machine: WebGpuMachine,
    private readonly launches: Launches,
    private readonly checkBytes: (bytes: number) => void,
  ) {}

  /** @throws IIError when a step cannot run; LimitExceededError when no buffer can be as large as one that it needs. */
  of<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
    { name }: Kernel<I, O, P>,
    webgpu: WebGpuKernel<I, O, P>,
    inputs: Bound<I, Operand>,
    outputs: Bound<O, Operand>,
    params: P,
    storages: Storages,
  ): Program {
    const describe = (): Program => {
      const given = placedOperands(inputs, storages);
      const made = placedOperands(outputs, storages, Object.keys(given).length);
      return this.compile(name, webgpu(given, made, params, this.machine));
    };
    if (webgpu.changing) return describe();
    if (this.#version !== this.launches.version || this.#kept >= keptPrograms) {
      this.#byKernel.clear();
      this.#kept = 0;
      this.#version = this.launches.version;
    }
    let programs = this.#byKernel.get(webgpu);
    if (!programs) this.#byKernel.set(webgpu, (programs = new Map()));
    const key = callKey(inputs, outputs, params, storages);
    let program = programs.get(key);
    if (!program) {
      program = describe();
      programs.set(key, program);
      this.#kept++;
    }
    return program;
  }

  /** The program that fills a prepared form of an operand. */
  filling(kernel: string, prepared: WebGpuPrepared): Program {
    let program = this.#fills.get(prepared);
    if (!program) {
      program = this.compile(kernel, prepared.fill({ kind: 'target' }));
      this.#fills.set(prepared, program);
    }
    return program;
  }

  compile(kernel: string, steps: readonly WebGpuStep[]): Program {
    for (const step of steps) this.#check(kernel, step);
    return steps.map(({ shader, bindings, uniforms, workgroups, launch }) => ({
      pipeline: this.pipelines.get(shader, bindings, uniforms !== undefined),
      resources: bindings.map(({ resource }) => resource),
      prepared: bindings.flatMap(({ resource }) => (resource.kind === 'prepared' ? [resource] : [])),
      uniforms: uniforms ? new UniformWords(uniforms) : null,
      grid: workgroups,
      launch,
    }));
  }

  #check(kernel: string, { shader, bindings, uniforms = [], workgroups }: WebGpuStep): void {
    const { maxStorageBuffers, maxWorkgroupsPerDimension } = this.machine;
    for (const { resource } of bindings) if ('bytes' in resource) this.checkBytes(resource.bytes);
    const fits = workgroups.every((n) => Number.isInteger(n) && n >= 1 && n <= maxWorkgroupsPerDimension);
    if (!fits || bindings.length > maxStorageBuffers || uniforms.length > maxUniformWords) {
      throw new IIError(
        'ERR_KERNEL_PROGRAM',
        `kernel '${kernel}' describes a step that cannot run: shader '${shader.name}' with ${bindings.length} buffers (at most ${maxStorageBuffers}), ${uniforms.length} uniform words (at most ${maxUniformWords}) and ${workgroups.join('×')} workgroups (1 to ${maxWorkgroupsPerDimension} each)`,
      );
    }
  }
}

/** Operands as kernels see them. */
export function placedOperands<S>(operands: Bound<S, Operand>, storages: Storages, first = 0): Bound<S, PlacedOperand> {
  let place = first;
  return mapOperands(operands, ({ shape, dtype }) => {
    const { halves } = storages[place]!;
    return { kind: 'operand', shape, dtype, place: place++, ...(halves && { storage: 'f16' }) };
  });
}

/** Tells apart the calls of one kernel that need programs of their own. */
function callKey(
  inputs: Readonly<Record<string, Operand>>,
  outputs: Readonly<Record<string, Operand>>,
  params: object,
  storages: Storages,
): string {
  let key = '';
  let place = 0;
  for (const operands of [inputs, outputs]) {
    for (const slot in operands) {
      const { shape, dtype } = operands[slot]!;
      key += `${slot} ${storages[place++]!.halves ? 'halves' : dtype} ${shape.join()};`;
    }
    key += '>';
  }
  return key + paramsKey(params);
}

function paramsKey(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value);
  let key = '{';
  for (const name in value) key += `${name}:${paramsKey((value as Readonly<Record<string, unknown>>)[name])},`;
  return key;
}

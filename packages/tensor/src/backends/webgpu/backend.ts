import { hostArrayOf, hostArrayOver, type DType, type HostArray } from '../../dtype.js';
import { DisposedError, IIError, UnsupportedKernelError } from '../../errors.js';
import { halvesToFloats } from '../../half.js';
import type { Bound, Kernel, KernelParams, Signature } from '../../kernel.js';
import { Launches } from '../../launches.js';
import type { Backend, BackendBuffer, BackendMemory, BackendRecording, Operand, StepReport } from '../backend.js';
import { mapOperands } from '../operands.js';
import type { AcquiredGpu, WebGpuOptions } from './adapter.js';
import { BufferPool, type PoolBuffer } from './buffer-pool.js';
import { convertStorage } from './kernels/convert-storage.js';
import { WebGpuBuffer, WebGpuMemory } from './memory.js';
import { Pipelines } from './pipelines.js';
import {
  maxUniformWords,
  rowsOfVectors,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuPrepared,
  type WebGpuResource,
  type WebGpuScratch,
  type WebGpuStep,
} from './program.js';
import { WebGpuQueue, type Dispatch } from './queue.js';
import { Recording } from './recording.js';

interface BoundOperand extends WebGpuOperand {
  readonly buffer: WebGpuBuffer;
}

/** Copies in f32 of halves that a kernel cannot take. */
type FloatCopies = Map<WebGpuBuffer, BoundOperand>;

/** A step that was dispatched while tracing. */
interface Traced {
  readonly call: number;
  readonly step: string;
  readonly launch: string | undefined;
}

/** Memory that the steps of one program refer to. */
interface ProgramMemory {
  readonly target: PoolBuffer | null;
  readonly scratch: Map<WebGpuScratch, PoolBuffer>;
  /** Prepared forms of what a recording computes itself: they are made in each replay. */
  readonly transient: { readonly of: WebGpuBuffer; readonly key: string; readonly memory: PoolBuffer }[];
}

/** The GPU device: WGSL kernels through WebGPU, in the browser and, by Dawn, in Node. */
export class WebGpuBackend implements Backend {
  readonly name = 'webgpu';
  readonly machine: WebGpuMachine;
  readonly launches: Launches;
  readonly #memory: WebGpuMemory;
  readonly #pipelines: Pipelines;
  readonly #queue: WebGpuQueue;
  readonly #acquired: AcquiredGpu;
  readonly #activationStorage: 'f32' | 'f16';
  /** While tracing: the steps dispatched that were not reported yet, in order. */
  #traced: Traced[] | null = null;
  #calls = 0;

  constructor(acquired: AcquiredGpu, options: WebGpuOptions = {}) {
    const { weightStorage = 'f32', activationStorage = 'f32', tuning } = options;
    const { device, adapter } = acquired;
    this.#acquired = acquired;
    this.#activationStorage = activationStorage;
    this.launches = new Launches(adapter, tuning);
    const machine = { ...acquired.machine, weightStorage, launches: this.launches };
    this.machine = machine;
    this.#pipelines = new Pipelines(device);
    this.#queue = new WebGpuQueue(device, this.#pipelines);
    const pool = new BufferPool(
      device,
      this.#queue,
      machine.maxBindingBytes,
      (bytes, create) => this.#queue.watchMemory(bytes, create),
      (buffers) => this.#pipelines.dropGroups(buffers),
    );
    this.#memory = new WebGpuMemory(pool, this.#queue);
  }

  allocate(dtype: DType, length: number, activation: boolean): WebGpuBuffer {
    this.#queue.check();
    const buffer = new WebGpuBuffer(dtype, length);
    if (activation && dtype === 'f32' && this.#activationStorage === 'f16') this.#memory.defer(buffer);
    else buffer.memory = this.#memory.take(buffer.bytes);
    return buffer;
  }

  upload(dtype: DType, data: HostArray | Float64Array): WebGpuBuffer {
    this.#queue.check();
    const buffer = new WebGpuBuffer(dtype, data.length);
    buffer.memory = this.#memory.place(data instanceof Float64Array ? hostArrayOf(dtype, data) : data);
    return buffer;
  }

  hold(dtype: DType, data: HostArray): WebGpuBuffer {
    const buffer = new WebGpuBuffer(dtype, data.length);
    buffer.host = data;
    return buffer;
  }

  release(buffer: BackendBuffer): void {
    this.#memory.release(this.#own(buffer));
  }

  async read(buffer: BackendBuffer): Promise<HostArray> {
    const own = this.#own(buffer);
    if (this.#memory.recording) {
      throw new IIError('ERR_CAPTURE', 'capture: a tensor was read in the body; read the results of run() instead');
    }
    if (own.host) return own.host.slice();
    const bytes = await this.#queue.read(this.#memory.resident(own), own.bytes);
    return own.halves ? halvesToFloats(new Uint16Array(bytes)) : hostArrayOver(own.dtype, bytes);
  }

  enqueue<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
    kernel: Kernel<I, O, P>,
    inputs: Bound<I, Operand>,
    outputs: Bound<O, Operand>,
    params: P,
  ): void {
    const { name, webgpu } = kernel;
    if (!webgpu) throw new UnsupportedKernelError(name, this.name);
    this.#queue.check();
    const { halves } = webgpu;
    const slots: readonly (keyof I | keyof O)[] = halves?.slots ?? [];
    const boundInputs = this.#bind(inputs);
    for (const { buffer } of Object.values<BoundOperand>(boundInputs)) this.#memory.settle(buffer, false);
    const asHalves =
      halves?.results?.(boundInputs, outputs, params) ?? Object.values<Operand>(outputs).every(rowsOfVectors);
    for (const key in outputs) {
      const buffer = this.#own(outputs[key].buffer);
      this.#memory.dropPrepared(buffer);
      this.#memory.settle(buffer, asHalves && slots.includes(key));
      this.#memory.resident(buffer);
    }
    const boundOutputs = this.#bind(outputs);

    const copies: FloatCopies = new Map();
    try {
      for (const operands of [boundInputs, boundOutputs]) {
        for (const [slot, operand] of Object.entries<BoundOperand>(operands)) {
          if (operand.storage === 'f16' && !slots.includes(slot as keyof I)) this.#copyAsFloats(name, operand, copies);
        }
      }
      const [given, made] = [withCopies(boundInputs, copies), withCopies(boundOutputs, copies)];
      this.#run(name, webgpu(given, made, params, this.machine), null);
      for (const operand of Object.values<BoundOperand>(boundOutputs)) {
        const copy = copies.get(operand.buffer);
        if (copy) this.#convert(name, copy, operand, 'f16');
      }
    } finally {
      for (const { buffer } of copies.values()) this.#memory.release(buffer);
    }
    this.#calls++;
  }

  record<T>(body: () => T, results: (value: T) => readonly BackendBuffer[]): { value: T; recording: BackendRecording } {
    const memory = this.#memory;
    if (memory.recording) throw new IIError('ERR_CAPTURE', 'capture: captures do not nest');
    const recording = new Recording(memory.pool, (dispatch) => this.#dispatch(dispatch, -1));
    memory.recording = recording;
    try {
      const value = body();
      const kept = results(value)
        .map((buffer) => this.#own(buffer))
        .filter((buffer) => buffer.memory && recording.owns(buffer.memory));
      recording.finish(kept.flatMap((buffer) => buffer.memory ?? []));
      for (const buffer of kept) buffer.borrowed = true;
      return { value, recording };
    } catch (error) {
      recording.dispose();
      throw error;
    } finally {
      memory.recording = null;
    }
  }

  trace(report: StepReport | null): void {
    const traced: Traced[] = [];
    this.#traced = report && traced;
    this.#calls = 0;
    let told = 0;
    const tell = (milliseconds: number): void => {
      const entry = traced[told++];
      if (!entry) return;
      const { call, step, launch } = entry;
      report?.(call, { step, milliseconds, ...(launch !== undefined && { launch }) });
    };
    this.#queue.trace(report && tell);
  }

  async finish(): Promise<void> {
    await this.#queue.fence();
  }

  memory(): BackendMemory {
    const { used, reserved } = this.#memory.pool;
    return { used, reserved: reserved + this.#queue.bytes };
  }

  destroy(): void {
    this.#queue.destroy();
    this.#memory.pool.destroyFree();
    if (this.#acquired.owned) this.#acquired.device.destroy();
  }

  #run(kernel: string, steps: readonly WebGpuStep[], target: PoolBuffer | null): void {
    const own: ProgramMemory = { target, scratch: new Map(), transient: [] };
    // Before anything is allocated or dispatched.
    for (const step of steps) this.#checkStep(kernel, step);
    try {
      for (const step of steps) {
        const { shader, bindings, uniforms, workgroups } = step;
        // Preparing an operand dispatches steps of its own, which come first.
        for (const { resource } of bindings) if (resource.kind === 'prepared') this.#prepare(kernel, resource, own);
        const buffers = bindings.map(({ resource }) => this.#locate(resource, own));
        const pipeline = this.#pipelines.get(shader, bindings, uniforms !== undefined);
        const dispatch = { pipeline, buffers, words: uniforms ?? null, grid: workgroups };
        if (this.#memory.recording) this.#memory.recording.note(dispatch);
        else this.#dispatch(dispatch, this.#calls, step.launch);
      }
    } finally {
      for (const buffer of own.scratch.values()) this.#memory.give(buffer);
      for (const { memory } of own.transient) this.#memory.give(memory);
    }
  }

  #dispatch(dispatch: Dispatch, call: number, launch?: string): void {
    this.#traced?.push({ call, step: dispatch.pipeline.name, launch });
    this.#queue.dispatch(dispatch);
  }

  #checkStep(kernel: string, { shader, bindings, uniforms = [], workgroups }: WebGpuStep): void {
    const { maxStorageBuffers, maxWorkgroupsPerDimension } = this.machine;
    for (const { resource } of bindings) if ('bytes' in resource) this.#memory.pool.sizeClass(resource.bytes);
    const fits = workgroups.every((n) => Number.isInteger(n) && n >= 1 && n <= maxWorkgroupsPerDimension);
    if (!fits || bindings.length > maxStorageBuffers || uniforms.length > maxUniformWords) {
      throw new IIError(
        'ERR_KERNEL_PROGRAM',
        `kernel '${kernel}' describes a step that cannot run: shader '${shader.name}' with ${bindings.length} buffers (at most ${maxStorageBuffers}), ${uniforms.length} uniform words (at most ${maxUniformWords}) and ${workgroups.join('×')} workgroups (1 to ${maxWorkgroupsPerDimension} each)`,
      );
    }
  }

  #locate(resource: WebGpuResource, { target, scratch, transient }: ProgramMemory): PoolBuffer {
    if (resource.kind === 'target') return target!;
    if (resource.kind === 'scratch') {
      let memory = scratch.get(resource);
      if (!memory) scratch.set(resource, (memory = this.#memory.take(resource.bytes)));
      return memory;
    }
    const { buffer } = (resource.kind === 'prepared' ? resource.of : resource) as BoundOperand;
    this.#memory.recording?.listedIn(buffer.readers);
    if (resource.kind === 'operand') return this.#memory.resident(buffer);
    const { key } = resource;
    return transient.find((form) => form.of === buffer && form.key === key)?.memory ?? buffer.prepared.get(key)!;
  }

  /** Makes the prepared form of an operand, unless it is there. */
  #prepare(kernel: string, prepared: WebGpuPrepared, { transient }: ProgramMemory): void {
    const memory = this.#memory;
    const { buffer } = prepared.of as BoundOperand;
    const { key, bytes } = prepared;
    if (buffer.prepared.has(key) || transient.some((form) => form.of === buffer && form.key === key)) return;
    const fill = (target: PoolBuffer): void =>
      memory.visit(buffer, () => this.#run(kernel, prepared.fill({ kind: 'target' }), target));

    const { recording } = memory;
    if (recording && buffer.memory && recording.owns(buffer.memory)) {
      const made = memory.take(bytes);
      transient.push({ of: buffer, key, memory: made });
      fill(made);
      return;
    }
    // The form of a weight stays: it is made now, also while dispatches are only noted.
    memory.recording = null;
    const made = memory.take(bytes);
    try {
      fill(made);
      buffer.prepared.set(key, made);
    } catch (error) {
      memory.give(made);
      throw error;
    } finally {
      memory.recording = recording;
    }
  }

  #copyAsFloats(kernel: string, operand: BoundOperand, copies: FloatCopies): void {
    if (copies.has(operand.buffer)) return;
    const buffer = new WebGpuBuffer('f32', operand.buffer.length);
    const copy: BoundOperand = { ...operand, storage: 'f32', buffer };
    buffer.memory = this.#memory.take(buffer.bytes);
    copies.set(operand.buffer, copy);
    this.#convert(kernel, operand, copy, 'f32');
  }

  #convert(kernel: string, from: BoundOperand, to: BoundOperand, storage: 'f32' | 'f16'): void {
    const { length } = from.buffer;
    if (length > 0) this.#run(kernel, [convertStorage(from, to, length, storage, this.machine)], null);
  }

  #own(buffer: BackendBuffer): WebGpuBuffer {
    if (buffer instanceof WebGpuBuffer) return buffer;
    throw new DisposedError(`buffer of backend '${buffer.backend}' was handed to the webgpu backend`);
  }

  #bind<S>(operands: Bound<S, Operand>): Bound<S, BoundOperand> {
    return mapOperands(operands, ({ shape, dtype, buffer: given }) => {
      const buffer = this.#own(given);
      return { kind: 'operand', shape, dtype, buffer, ...(buffer.halves && { storage: 'f16' }) };
    });
  }
}

/** Operands with copies in the place of what was copied; a tensor that is worked on in place has one for all slots. */
function withCopies<S>(operands: Bound<S, BoundOperand>, copies: FloatCopies): Bound<S, BoundOperand> {
  if (copies.size === 0) return operands;
  const entries = Object.entries<BoundOperand>(operands).map(([slot, operand]) => {
    const copy = copies.get(operand.buffer);
    return [slot, copy ? { ...copy, shape: operand.shape } : operand];
  });
  return Object.fromEntries(entries) as Bound<S, BoundOperand>;
}

import { hostArrayOf, hostArrayOver, type DType, type HostArray } from '../../dtype.js';
import { DisposedError, IIError, UnsupportedKernelError } from '../../errors.js';
import { halvesToFloats } from '../../half.js';
import type { Bound, Kernel, KernelParams, Signature } from '../../kernel.js';
import { Launches } from '../../launches.js';
import type { Backend, BackendBuffer, BackendMemory, BackendRecording, Operand, StepReport } from '../backend.js';
import type { AcquiredGpu, WebGpuOptions } from './adapter.js';
import { BufferPool, type PoolBuffer } from './buffer-pool.js';
import { convertStorage } from './kernels/convert-storage.js';
import { WebGpuBuffer, WebGpuMemory } from './memory.js';
import { Pipelines } from './pipelines.js';
import {
  rowsOfVectors,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuPrepared,
  type WebGpuResource,
  type WebGpuScratch,
} from './program.js';
import { placedOperands, Programs, type PlacedOperand, type Program } from './programs.js';
import { WebGpuQueue, type Dispatch } from './queue.js';
import { Recording } from './recording.js';

/** A step that was dispatched while tracing. */
interface Traced {
  readonly call: number;
  readonly step: string;
  readonly launch: string | undefined;
}

/** Memory that the steps of one program refer to. */
interface ProgramMemory {
  readonly operands: readonly WebGpuBuffer[];
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
  readonly #programs: Programs;
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
    const pipelines = new Pipelines(device);
    this.#queue = new WebGpuQueue(device, pipelines);
    const pool = new BufferPool(
      device,
      this.#queue,
      machine.maxBindingBytes,
      (bytes, create) => this.#queue.watchMemory(bytes, create),
      (buffer) => pipelines.dropGroups(buffer),
    );
    this.#programs = new Programs(pipelines, machine, this.launches, (bytes) => pool.sizeClass(bytes));
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
    const buffers = this.#settle(webgpu, inputs, outputs, params);
    const run = (bound: readonly WebGpuBuffer[]): void =>
      this.#run(name, this.#programs.of(kernel, webgpu, inputs, outputs, params, bound), bound, null);
    if (buffers.some(({ halves }) => halves)) {
      const given = Object.keys(inputs);
      const slots = [...given, ...Object.keys(outputs)];
      const taken: readonly PropertyKey[] = webgpu.halves?.slots ?? [];
      this.#withFloats(name, buffers, (place) => taken.includes(slots[place]!), buffers.slice(given.length), run);
    } else run(buffers);
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

  /** @param target of a program that fills it. */
  #run(kernel: string, program: Program, operands: readonly WebGpuBuffer[], target: PoolBuffer | null): void {
    const own: ProgramMemory = { operands, target, scratch: new Map(), transient: [] };
    try {
      for (const { pipeline, resources, prepared, uniforms, grid, launch } of program) {
        // Preparing an operand dispatches steps of its own, which come first.
        for (const form of prepared) this.#prepare(kernel, form, own);
        const buffers = resources.map((resource) => this.#locate(resource, own));
        const dispatch = { pipeline, buffers, uniforms, grid };
        if (this.#memory.recording) this.#memory.recording.note(dispatch);
        else this.#dispatch(dispatch, this.#calls, launch);
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

  #locate(resource: WebGpuResource, { operands, target, scratch, transient }: ProgramMemory): PoolBuffer {
    if (resource.kind === 'target') return target!;
    if (resource.kind === 'scratch') {
      let memory = scratch.get(resource);
      if (!memory) scratch.set(resource, (memory = this.#memory.take(resource.bytes)));
      return memory;
    }
    const { place } = (resource.kind === 'prepared' ? resource.of : resource) as PlacedOperand;
    const buffer = operands[place]!;
    this.#memory.recording?.listedIn(buffer.readers);
    if (resource.kind === 'operand') return this.#memory.resident(buffer);
    const { key } = resource;
    return transient.find((form) => form.of === buffer && form.key === key)?.memory ?? buffer.prepared.get(key)!;
  }

  /** Makes the prepared form of an operand, unless it is there. */
  #prepare(kernel: string, prepared: WebGpuPrepared, { operands, transient }: ProgramMemory): void {
    const memory = this.#memory;
    const buffer = operands[(prepared.of as PlacedOperand).place]!;
    const { key, bytes } = prepared;
    if (buffer.prepared.has(key) || transient.some((form) => form.of === buffer && form.key === key)) return;
    const fill = (target: PoolBuffer): void =>
      memory.visit(buffer, () => this.#run(kernel, this.#programs.filling(kernel, prepared), operands, target));

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

  /**
   * The buffers of a call, inputs first: what the inputs hold is there, and the outputs have the memory that is written.
   */
  #settle<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
    { halves }: WebGpuKernel<I, O, P>,
    inputs: Bound<I, Operand>,
    outputs: Bound<O, Operand>,
    params: P,
  ): WebGpuBuffer[] {
    const memory = this.#memory;
    const buffers: WebGpuBuffer[] = [];
    for (const slot in inputs) {
      const buffer = this.#own(inputs[slot].buffer);
      memory.settle(buffer, false);
      buffers.push(buffer);
    }
    let asHalves: boolean | null = null;
    for (const slot in outputs) {
      const buffer = this.#own(outputs[slot].buffer);
      memory.dropPrepared(buffer);
      if (buffer.unplaced) {
        asHalves ??=
          halves?.results?.(placedOperands(inputs, buffers), outputs, params) ??
          Object.values<Operand>(outputs).every(rowsOfVectors);
        memory.settle(buffer, asHalves && (halves?.slots.includes(slot) ?? false));
      }
      memory.resident(buffer);
      buffers.push(buffer);
    }
    return buffers;
  }

  /**
   * Runs `body` with copies in f32 in the place of halves that a kernel cannot take; a tensor that is worked on in place has
   * one for all its places.
   *
   * @param takesHalves whether the kernel takes halves at a place. @param written those of the buffers that it writes.
   */
  #withFloats(
    kernel: string,
    buffers: readonly WebGpuBuffer[],
    takesHalves: (place: number) => boolean,
    written: readonly WebGpuBuffer[],
    body: (bound: readonly WebGpuBuffer[]) => void,
  ): void {
    const copies = new Map<WebGpuBuffer, WebGpuBuffer>();
    try {
      buffers.forEach((buffer, place) => {
        if (!buffer.halves || takesHalves(place) || copies.has(buffer)) return;
        const copy = new WebGpuBuffer('f32', buffer.length);
        copy.memory = this.#memory.take(copy.bytes);
        copies.set(buffer, copy);
        this.#convert(kernel, buffer, copy);
      });
      body(buffers.map((buffer) => copies.get(buffer) ?? buffer));
      for (const buffer of written) {
        const copy = copies.get(buffer);
        if (copy) this.#convert(kernel, copy, buffer);
      }
    } finally {
      for (const copy of copies.values()) this.#memory.release(copy);
    }
  }

  #convert(kernel: string, from: WebGpuBuffer, to: WebGpuBuffer): void {
    const { length } = from;
    if (length === 0) return;
    const operand = (place: number): PlacedOperand => ({ kind: 'operand', shape: [length], dtype: 'f32', place });
    const step = convertStorage(operand(0), operand(1), length, to.halves ? 'f16' : 'f32', this.machine);
    this.#run(kernel, this.#programs.compile(kernel, [step]), [from, to], null);
  }

  #own(buffer: BackendBuffer): WebGpuBuffer {
    if (buffer instanceof WebGpuBuffer) return buffer;
    throw new DisposedError(`buffer of backend '${buffer.backend}' was handed to the webgpu backend`);
  }
}

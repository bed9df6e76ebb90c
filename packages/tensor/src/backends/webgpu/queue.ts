import { DeviceLostError, DisposedError, KernelFailedError, OutOfMemoryError } from '../../errors.js';
import type { BatchClock, PoolBuffer } from './buffer-pool.js';
import { mapRead } from './constants.js';
import { PendingPromises } from './pending.js';
import type { Pipeline, Pipelines } from './pipelines.js';
import type { WorkgroupGrid } from './program.js';
import { StagingBuffers } from './staging.js';
import { Stopwatch, type DispatchTime } from './stopwatch.js';
import { UniformArena, type UniformWords } from './uniform-arena.js';

/** One step of a kernel, bound to its buffers. */
export interface Dispatch {
  readonly pipeline: Pipeline;
  readonly buffers: readonly PoolBuffer[];
  readonly uniforms: UniformWords | null;
  readonly grid: WorkgroupGrid;
}

/** A copy to the host. */
interface Copy {
  readonly from: PoolBuffer;
  readonly to: GPUBuffer;
  readonly bytes: number;
}

type Command = Dispatch | Copy;

interface Batch {
  readonly number: number;
  readonly commands: readonly Command[];
  readonly report: DispatchTime | null;
  /** Told when it is submitted. */
  readonly waiters: (() => void)[];
}

/**
 * Dispatches after which a batch is handed over, so that the GPU starts while the host goes on: the first ones after the
 * queue was waited for are small, since the GPU has nothing to do, and each has its cost.
 */
const firstBatch = 64;
const largestBatch = 256;

/**
 * Commands on their way to the GPU: noted in an open batch, which is handed over when something is to be read or when it
 * is full. A batch whose shaders are still being compiled waits, and those after it with it; so a first run compiles
 * all its shaders side by side.
 */
export class WebGpuQueue implements BatchClock {
  readonly #arena: UniformArena;
  readonly #staging: StagingBuffers;
  readonly #stopwatch: Stopwatch;
  readonly #pending = new PendingPromises();
  readonly #waiting: Batch[] = [];
  /** Error scopes that are not resolved yet. */
  readonly #scopes = new Set<Promise<void>>();
  #commands: Command[] = [];
  #batch = firstBatch;
  #open = 1;
  #submitted = 0;
  #blocked = false;
  #failure: Error | null = null;
  #end: Error | null = null;
  #report: DispatchTime | null = null;

  constructor(
    private readonly device: GPUDevice,
    private readonly pipelines: Pipelines,
  ) {
    this.#arena = new UniformArena(device, pipelines.uniformLayout);
    this.#staging = new StagingBuffers(device);
    this.#stopwatch = new Stopwatch(device);
    void device.lost.then(({ reason, message }) => {
      this.#finishWith(new DeviceLostError('webgpu', message || reason));
    });
  }

  get open(): number {
    return this.#open;
  }

  get submitted(): number {
    return this.#submitted;
  }

  /** Bytes of the queue's own buffers. */
  get bytes(): number {
    return this.#arena.bytes + this.#staging.bytes;
  }

  /** @throws DeviceLostError or DisposedError when the device is gone. */
  check(): void {
    if (this.#end) throw this.#end;
  }

  dispatch(dispatch: Dispatch): void {
    for (const buffer of dispatch.buffers) buffer.lastUse = this.#open;
    this.#commands.push(dispatch);
    if (this.#commands.length < (this.#report ? this.#stopwatch.batch : this.#batch)) return;
    this.#batch = Math.min(2 * this.#batch, largestBatch);
    this.#flush();
  }

  /** Writes ahead of all commands that are not submitted yet; none of them may touch the buffer. */
  write(buffer: PoolBuffer, data: Uint8Array<ArrayBuffer>): void {
    const whole = data.byteLength & ~3;
    this.device.queue.writeBuffer(buffer.gpu, 0, data, 0, whole);
    if (whole === data.byteLength) return;
    const tail = new Uint8Array(4);
    tail.set(data.subarray(whole));
    this.device.queue.writeBuffer(buffer.gpu, whole, tail);
  }

  /** The first `bytes` of a buffer after all commands so far. */
  async read(from: PoolBuffer, bytes: number): Promise<ArrayBuffer> {
    this.check();
    if (bytes === 0) {
      await this.fence();
      return new ArrayBuffer(0);
    }
    const size = Math.ceil(bytes / 4) * 4;
    const staging = this.#staging.take(size);
    from.lastUse = this.#open;
    this.#commands.push({ from, to: staging.gpu, bytes: size });
    await this.#handOver();
    await this.#guard(staging.gpu.mapAsync(mapRead, 0, size));
    const data = staging.gpu.getMappedRange(0, size).slice(0, bytes);
    staging.gpu.unmap();
    this.#staging.give(staging);
    await this.#settle();
    return data;
  }

  /** Resolves when all commands so far are done; rejects with the first failure since the last fence or read. */
  async fence(): Promise<void> {
    this.check();
    await this.#handOver();
    await this.#guard(this.device.queue.onSubmittedWorkDone());
    await this.#guard(this.#stopwatch.finish());
    await this.#settle();
  }

  /** While set, told how long every dispatch from now on took, in the order of the dispatches. */
  trace(report: DispatchTime | null): void {
    this.#flush();
    this.#report = report;
  }

  /** Runs `create` and notes if the GPU has no memory for it. */
  watchMemory<T>(bytes: number, create: () => T): T {
    this.device.pushErrorScope('out-of-memory');
    try {
      return create();
    } finally {
      this.#scope(
        this.device.popErrorScope(),
        ({ message }) => new OutOfMemoryError(bytes, NaN, `the GPU has no memory left for ${bytes} bytes (${message})`),
      );
    }
  }

  /** Gives up all that is pending. */
  destroy(): void {
    this.#finishWith(new DisposedError('the webgpu device was disposed of while this was pending'));
    this.#arena.destroy();
    this.#staging.destroy();
    this.#stopwatch.destroy();
  }

  /** Resolves when everything so far is submitted. */
  #handOver(): Promise<void> {
    this.#flush();
    this.#batch = firstBatch;
    const last = this.#waiting.at(-1);
    if (!last) return Promise.resolve();
    return this.#guard(new Promise<void>((resolve) => last.waiters.push(resolve)));
  }

  #flush(): void {
    if (this.#commands.length === 0) return;
    const commands = this.#commands;
    this.#commands = [];
    this.#waiting.push({ number: this.#open++, commands, report: this.#report, waiters: [] });
    this.#pump();
  }

  /** Submits batches until one has to wait for its shaders. */
  #pump(): void {
    while (!this.#blocked && !this.#end) {
      const batch = this.#waiting[0];
      if (!batch) return;
      const compiling = new Set<Promise<void>>();
      for (const command of batch.commands) {
        if ('pipeline' in command && command.pipeline.settled) compiling.add(command.pipeline.settled);
      }
      if (compiling.size > 0) return this.#resumeAfter(Promise.all(compiling));
      this.#waiting.shift();
      this.#submit(batch);
      this.#submitted = batch.number;
      for (const tell of batch.waiters) tell();
      if (batch.report && !this.#stopwatch.precise) {
        const dispatches = batch.commands.filter((command) => 'pipeline' in command).length;
        if (dispatches > 0) return this.#resumeAfter(this.#stopwatch.time(dispatches, batch.report));
      }
    }
  }

  #resumeAfter(event: Promise<unknown>): void {
    this.#blocked = true;
    const resume = (): void => {
      this.#blocked = false;
      this.#pump();
    };
    void event.then(resume, resume);
  }

  #submit({ commands, report }: Batch): void {
    const { device } = this;
    device.pushErrorScope('out-of-memory');
    device.pushErrorScope('validation');
    let encoder = device.createCommandEncoder();
    let pass: GPUComputePassEncoder | null = null;
    /** That of the pass so far. */
    let pipeline: Pipeline | null = null;
    const endPass = (): void => {
      pass?.end();
      pass = null;
      pipeline = null;
    };
    const submit = (): void => {
      endPass();
      this.#arena.write();
      device.queue.submit([encoder.finish()]);
    };
    const timed = report && this.#stopwatch.precise ? this.#stopwatch.start(commands.length) : null;
    for (let i = 0; i < commands.length; i++) {
      const command = commands[i]!;
      if (!('pipeline' in command)) {
        endPass();
        encoder.copyBufferToBuffer(command.from.gpu, 0, command.to, 0, command.bytes);
        continue;
      }
      if (command.uniforms && !this.#arena.place(command.uniforms)) {
        submit();
        encoder = device.createCommandEncoder();
        this.#arena.reset();
        this.#arena.place(command.uniforms);
      }
      if (timed) endPass();
      pass ??= encoder.beginComputePass(timed ? { timestampWrites: timed.writes(i) } : undefined);
      this.#encode(pass, command, pipeline);
      pipeline = command.pipeline;
    }
    endPass();
    if (timed && report) timed.resolve(encoder);
    submit();
    if (timed && report) timed.read(report);
    const names = (): string =>
      [...new Set(commands.flatMap((command) => ('pipeline' in command ? [command.pipeline.name] : [])))].join(', ');
    this.#scope(device.popErrorScope(), ({ message }) => new KernelFailedError(names(), message));
    this.#scope(device.popErrorScope(), ({ message }) => new OutOfMemoryError(NaN, NaN, message));
  }

  /** @param before the pipeline that the pass has. */
  #encode(pass: GPUComputePassEncoder, { pipeline, buffers, uniforms, grid }: Dispatch, before: Pipeline | null): void {
    if (!pipeline.compiled) {
      this.#fail(pipeline.failure!);
      return;
    }
    if (pipeline !== before) pass.setPipeline(pipeline.compiled);
    pass.setBindGroup(0, this.pipelines.bindGroup(pipeline.layout, buffers));
    if (uniforms) pass.setBindGroup(1, this.#arena.group, [uniforms.offset]);
    pass.dispatchWorkgroups(...grid);
  }

  #scope(result: Promise<GPUError | null>, convert: (error: GPUError) => Error): void {
    const noted = result.then(
      (error) => {
        if (error) this.#fail(convert(error));
      },
      // Scopes of a lost device do not resolve; the loss is reported by itself.
      () => {},
    );
    this.#scopes.add(noted);
    void noted.then(() => this.#scopes.delete(noted));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
  }

  /** Waits for what is known only later about the work done, and throws the first failure. */
  async #settle(): Promise<void> {
    await this.#guard(Promise.all(this.#scopes));
    const failure = this.#failure;
    this.#failure = null;
    if (failure) throw failure;
  }

  /** A promise of the GPU's that also rejects when the device is lost or disposed of. */
  #guard<T>(promise: Promise<T>): Promise<T> {
    if (!this.#end) return this.#pending.guard(promise, () => this.#end);
    // A lost device answers by errors of its own, which nobody asks about any more.
    promise.catch(() => {});
    return Promise.reject(this.#end);
  }

  #finishWith(error: Error): void {
    if (this.#end) return;
    this.#end = error;
    this.#commands.length = 0;
    this.#waiting.length = 0;
    this.#pending.rejectAll(error);
  }
}

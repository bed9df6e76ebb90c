import { mapRead, usage } from './constants.js';

/** Told the time of a dispatch; dispatches are told of in their order. */
export type DispatchTime = (milliseconds: number) => void;

/** Dispatches per query set; WebGPU allows 4096 queries. */
const mostTimed = 1024;

/** Timing of the dispatches of one batch by timestamp queries. */
export interface TimedBatch {
  writes(command: number): GPUComputePassTimestampWrites;
  resolve(encoder: GPUCommandEncoder): void;
  /** Reads the times back once the batch was submitted. */
  read(report: DispatchTime): void;
}

/** Times dispatches: by timestamp queries where the device has them, else by the time until the queue is idle. */
export class Stopwatch {
  /** Whether times are the GPU's own. */
  readonly precise: boolean;
  /** Dispatches per batch while timing. */
  readonly batch: number;
  #queries: { readonly set: GPUQuerySet; readonly values: GPUBuffer } | null = null;
  /** Reports come in the order of the batches. */
  #reported: Promise<void> = Promise.resolve();

  constructor(private readonly device: GPUDevice) {
    this.precise = device.features.has('timestamp-query');
    this.batch = this.precise ? mostTimed : 1;
  }

  start(commands: number): TimedBatch {
    const { device } = this;
    const bytes = mostTimed * 16;
    this.#queries ??= {
      set: device.createQuerySet({ type: 'timestamp', count: mostTimed * 2 }),
      values: device.createBuffer({ size: bytes, usage: usage.queryResolve | usage.copySource }),
    };
    const { set: querySet, values } = this.#queries;
    const used: number[] = [];
    const staging = device.createBuffer({ size: bytes, usage: usage.mapRead | usage.copyTarget });
    return {
      writes: (command) => {
        used.push(command);
        return { querySet, beginningOfPassWriteIndex: 2 * command, endOfPassWriteIndex: 2 * command + 1 };
      },
      resolve: (encoder) => {
        encoder.resolveQuerySet(querySet, 0, 2 * commands, values, 0);
        encoder.copyBufferToBuffer(values, 0, staging, 0, bytes);
      },
      read: (report) => {
        const mapped = staging.mapAsync(mapRead);
        const before = this.#reported;
        const told = async (): Promise<void> => {
          await Promise.all([before, mapped]);
          const nanoseconds = new BigUint64Array(staging.getMappedRange());
          for (const i of used) report(Number(nanoseconds[2 * i + 1]! - nanoseconds[2 * i]!) / 1e6);
          staging.destroy();
        };
        // A failure here is that of the device, which is reported by itself.
        this.#reported = told().catch(() => {});
      },
    };
  }

  /** The wall time of what was just submitted, told for each of its dispatches alike. */
  time(dispatches: number, report: DispatchTime): Promise<void> {
    const started = performance.now();
    const told = async (): Promise<void> => {
      await this.device.queue.onSubmittedWorkDone();
      const each = (performance.now() - started) / dispatches;
      for (let i = 0; i < dispatches; i++) report(each);
    };
    this.#reported = told().catch(() => {});
    return this.#reported;
  }

  /** Resolves when all times so far were told. */
  finish(): Promise<void> {
    return this.#reported;
  }

  destroy(): void {
    this.#queries?.set.destroy();
    this.#queries?.values.destroy();
  }
}

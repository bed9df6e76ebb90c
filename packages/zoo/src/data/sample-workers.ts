import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { Tinypool } from 'tinypool';
import { compose, SampleError, type Sample, type SamplePipeline, type SampleRef } from '@ii/ade20k';
import { DisposedError, IIError } from '@ii/tensor';
import { fromWire, type WorkerReply, type WorkerSetup, type WorkerTask } from './worker-messages.js';

/** Options of {@link startSampleWorkers}. */
export interface SampleWorkersOptions extends SamplePipeline {
  /** The folder that the data set was opened in: the workers open the same files. */
  readonly root: string;
  /** Threads. Default: one for each processor, up to 8. */
  readonly workers?: number;
  /** Module of the worker, for programs that bundle this package. Default: the file beside this one. */
  readonly workerUrl?: URL;
}

/** Threads that load samples. */
export interface SampleWorkers extends AsyncDisposable {
  readonly workers: number;
  /** A `load` for `loadSamples` and `loadBatches`; give them a `prefetch` of twice the workers or more. */
  load(ref: SampleRef): Promise<Sample>;
  /** Ends the threads; samples still being loaded fail. */
  close(): Promise<void>;
}

/**
 * Starts worker threads that read, decode and transform samples of a data set on disk. Their samples are those of
 * `inProcess`, bit by bit: all chance depends on seed, epoch and index only.
 *
 * @throws TransformConfigError if the transforms make no sense.
 */
export function startSampleWorkers(options: SampleWorkersOptions): SampleWorkers {
  const { dataset, transforms = [], seed = 0, workers = Math.min(availableParallelism(), 8) } = options;
  compose(transforms);
  const setup: WorkerSetup = { root: resolve(options.root), rule: dataset.rule, transforms };
  const pool = new Tinypool({
    filename: (options.workerUrl ?? new URL('./sample-worker.js', import.meta.url)).href,
    minThreads: workers,
    maxThreads: workers,
    // While one sample's file is being read and decoded outside of JavaScript, another is transformed.
    concurrentTasksPerWorker: 2,
    workerData: setup,
  });
  let closed = false;
  const close = async (): Promise<void> => {
    // The pool would start new threads for a task that comes later.
    closed = true;
    await pool.destroy();
  };
  return {
    workers,
    load: async ({ index, epoch }) => {
      if (closed) throw new DisposedError('these sample workers were closed; start new ones');
      const task: WorkerTask = { pair: dataset.pair(index), key: { seed, epoch, index } };
      const reply = (await pool.run(task)) as WorkerReply;
      if ('sample' in reply) return fromWire(reply.sample);
      const { code, message, file } = reply.error;
      throw file === undefined ? new IIError(code, message) : new SampleError(message, file);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

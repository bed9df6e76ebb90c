import type { DType, HostArray } from '../dtype.js';
import type { Launches } from '../launches.js';
import type { Bound, Kernel, KernelParams, Signature, TensorSpec } from '../kernel.js';

/** Memory of a backend that holds a tensor's elements; only the backend that made it looks inside. */
export interface BackendBuffer {
  readonly backend: string;
}

/** A tensor as the backend sees it when a kernel is enqueued. */
export interface Operand extends TensorSpec {
  readonly buffer: BackendBuffer;
}

/** One step of a kernel in a trace. */
export interface StepTime {
  /** The backend's own name of the step, for example an exported function. */
  readonly step: string;
  readonly milliseconds: number;
  /** The class of shapes whose launch parameters it ran with, where these can be tuned. */
  readonly launch?: string;
}

/** Told of each step of a kernel once its time is known. */
export type StepReport = (call: number, time: StepTime) => void;

/** Memory figures of a backend, in bytes. */
export interface BackendMemory {
  /** Held by buffers and by prepared forms of them. */
  readonly used: number;
  /** Claimed from the system; does not shrink below the peak on backends that cannot give memory back. */
  readonly reserved: number;
}

/** Work that was recorded instead of run, ready to be run any number of times. */
export interface BackendRecording {
  /** Enqueues all of it. Throws when a buffer that it reads was released or rewritten since. */
  replay(): void;
  dispose(): void;
}

/**
 * What a backend supplies: memory, and the execution of kernels in the order in which they were enqueued. Nothing here
 * waits except {@link Backend.read} and {@link Backend.finish}.
 */
export interface Backend {
  readonly name: string;
  /** Launch parameters, where they can be tuned. */
  readonly launches?: Launches;
  /**
   * Uninitialised memory for `length` elements. Throws `OutOfMemoryError`.
   *
   * @param activation whether it is for a result that nothing is differentiated by: it may be stored in fewer bits.
   */
  allocate(dtype: DType, length: number, activation: boolean): BackendBuffer;
  /** A buffer with a copy of `data`. */
  upload(dtype: DType, data: HostArray | Float64Array): BackendBuffer;
  /** A buffer that keeps `data` on the host, uncopied, and brings it in when a kernel needs it; for weights. */
  hold(dtype: DType, data: HostArray): BackendBuffer;
  /** Gives the memory back once the work enqueued so far no longer needs it. */
  release(buffer: BackendBuffer): void;
  /** The elements after all work enqueued so far; a `Float64Array` where the backend computes in f64. */
  read(buffer: BackendBuffer): Promise<HostArray | Float64Array>;
  enqueue<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
    kernel: Kernel<I, O, P>,
    inputs: Bound<I, Operand>,
    outputs: Bound<O, Operand>,
    params: P,
  ): void;
  /**
   * Records what `body` enqueues instead of running it. The buffers that `results` names are the recording's outputs;
   * they live as long as it does. A backend without this runs captured work anew each time.
   */
  record?<T>(
    body: () => T,
    results: (value: T) => readonly BackendBuffer[],
  ): { readonly value: T; readonly recording: BackendRecording };
  /**
   * While set, told of the time of every step enqueued from now on, at the latest when {@link Backend.finish} resolves;
   * kernels are numbered from 0 in the order in which they are enqueued.
   */
  trace(report: StepReport | null): void;
  /** Resolves when all work enqueued so far is done; rejects with the first error since the last call. */
  finish(): Promise<void>;
  memory(): BackendMemory;
  destroy(): void;
}

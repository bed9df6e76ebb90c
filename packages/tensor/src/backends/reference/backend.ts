import type { DType, HostArray } from '../../dtype.js';
import { DisposedError, UnsupportedKernelError } from '../../errors.js';
import { halfToFloat } from '../../half.js';
import type { Bound, Kernel, KernelParams, Signature, TensorSpec } from '../../kernel.js';
import type { Backend, BackendBuffer, BackendMemory, Operand, StepReport } from '../backend.js';
import { mapOperands } from '../operands.js';

/** A tensor as a reference kernel sees it: every dtype in f64, row-major. */
export interface ReferenceArray extends TensorSpec {
  readonly data: Float64Array;
}

class ReferenceBuffer implements BackendBuffer {
  readonly backend = 'reference';
  constructor(public data: Float64Array) {}
}

/**
 * Plain loops in f64, run at once on the calling thread: the oracle that the other backends are tested against. Values
 * of an `f32` tensor are not rounded, so that finite differences and long sums are exact to f64.
 */
export class ReferenceBackend implements Backend {
  readonly name = 'reference';
  #used = 0;
  #report: StepReport | null = null;
  #calls = 0;

  allocate(_dtype: DType, length: number): ReferenceBuffer {
    return this.#keep(new Float64Array(length));
  }

  upload(dtype: DType, data: HostArray | Float64Array): ReferenceBuffer {
    const widen = dtype === 'f16' && data instanceof Uint16Array ? Float64Array.from(data, halfToFloat) : null;
    return this.#keep(widen ?? Float64Array.from(data));
  }

  hold(dtype: DType, data: HostArray): ReferenceBuffer {
    return this.upload(dtype, data);
  }

  release(buffer: BackendBuffer): void {
    const own = this.#own(buffer);
    this.#used -= own.data.byteLength;
    own.data = new Float64Array(0);
  }

  async read(buffer: BackendBuffer): Promise<Float64Array> {
    return this.#own(buffer).data.slice();
  }

  enqueue<I extends Signature<I>, O extends Signature<O>, P extends KernelParams>(
    kernel: Kernel<I, O, P>,
    inputs: Bound<I, Operand>,
    outputs: Bound<O, Operand>,
    params: P,
  ): void {
    if (!kernel.reference) throw new UnsupportedKernelError(kernel.name, this.name);
    const started = performance.now();
    kernel.reference(this.#bind(inputs), this.#bind(outputs), params);
    this.#report?.(this.#calls++, { step: 'loops', milliseconds: performance.now() - started });
  }

  trace(report: StepReport | null): void {
    this.#report = report;
    this.#calls = 0;
  }

  async finish(): Promise<void> {}

  memory(): BackendMemory {
    return { used: this.#used, reserved: this.#used };
  }

  destroy(): void {
    this.#used = 0;
  }

  #keep(data: Float64Array): ReferenceBuffer {
    this.#used += data.byteLength;
    return new ReferenceBuffer(data);
  }

  #own(buffer: BackendBuffer): ReferenceBuffer {
    if (buffer instanceof ReferenceBuffer) return buffer;
    throw new DisposedError(`buffer of backend '${buffer.backend}' was handed to the reference backend`);
  }

  #bind<S>(operands: Bound<S, Operand>): Bound<S, ReferenceArray> {
    return mapOperands(operands, ({ shape, dtype, buffer }) => ({ shape, dtype, data: this.#own(buffer).data }));
  }
}

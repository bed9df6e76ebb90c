import type { BackendBuffer } from './backends/backend.js';
import type { Device } from './device.js';
import { hostArrayOf, type DType, type HostArray } from './dtype.js';
import { DisposedError } from './errors.js';
import { halfToFloat, halvesToFloats } from './half.js';
import { showShape, sizeOf, type Shape } from './shape.js';

/** Memory shared by the tensors that view it; given back when the last of them is disposed of. */
export class Storage {
  #owners = 1;

  constructor(
    readonly device: Device,
    readonly buffer: BackendBuffer,
    readonly bytes: number,
  ) {}

  retain(): this {
    this.#owners++;
    return this;
  }

  release(): void {
    if (--this.#owners === 0) this.device.release(this);
  }
}

/**
 * An immutable array on a device: `shape`, row-major and without gaps; images are `[N, H, W, C]`. Operators take
 * tensors and return new ones; they only enqueue work. {@link Tensor.read} waits for the result.
 *
 * Memory is given back by {@link Tensor.dispose}, by `using`, or by the `scope` that the tensor was made in.
 */
export class Tensor {
  readonly device: Device;
  readonly shape: Shape;
  readonly dtype: DType;
  #storage: Storage | null;

  /** Takes over one owner of `storage`; use `device.tensor` or an operator to make tensors. */
  constructor(storage: Storage, shape: Shape, dtype: DType) {
    this.device = storage.device;
    this.shape = Object.freeze([...shape]);
    this.dtype = dtype;
    this.#storage = storage;
    this.device.track(this);
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  get disposed(): boolean {
    return this.#storage === null;
  }

  /** @throws DisposedError when the tensor was disposed of. */
  get storage(): Storage {
    if (this.#storage) return this.#storage;
    throw new DisposedError(
      `this ${this.dtype} tensor of shape ${showShape(this.shape)} was disposed of (by dispose(), 'using' or the end of its scope); return it from the scope, or dispose of it later`,
    );
  }

  /**
   * The elements, once all work enqueued before is done: `Float32Array` for f32, `Uint16Array` of half bits for f16,
   * `Int32Array` for i32, `Uint8Array` for u8. The tensor may be disposed of while the read is pending.
   */
  async read(): Promise<HostArray> {
    const data = await this.#fetch();
    return data instanceof Float64Array ? hostArrayOf(this.dtype, data) : data;
  }

  /** The elements in f64: unrounded on the `reference` device, widened elsewhere. */
  async readFloat64(): Promise<Float64Array> {
    const data = await this.#fetch();
    if (data instanceof Float64Array) return data;
    return this.dtype === 'f16' ? Float64Array.from(data, halfToFloat) : Float64Array.from(data);
  }

  /** The elements in f32. */
  async readFloat32(): Promise<Float32Array> {
    const data = await this.#fetch();
    if (data instanceof Float32Array) return data;
    return this.dtype === 'f16' && data instanceof Uint16Array ? halvesToFloats(data) : Float32Array.from(data);
  }

  /** Gives the memory back. Harmless when repeated. */
  dispose(): void {
    if (!this.#storage) return;
    const storage = this.#storage;
    this.#storage = null;
    this.device.untrack(this);
    storage.release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #fetch(): Promise<HostArray | Float64Array> {
    const storage = this.storage.retain();
    return this.device.read(storage).finally(() => storage.release());
  }
}

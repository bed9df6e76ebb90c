import type { Device } from '../device.js';
import { IIError } from '../errors.js';
import { readElements, storedTensor, toFloat32, type DecodedArray } from '../io/decode.js';
import type { StoredTensor } from '../io/stored-tensor.js';
import type { Random } from '../random.js';
import { keep } from '../scope.js';
import { showShape, sizeOf, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import type { Initializer } from './init.js';

/**
 * A named tensor of a module: a trained parameter, or a buffer such as a running mean. It has a shape from the start
 * and a value once the module is initialised or loaded, so that models of any size can be built and counted for free.
 */
export class Parameter {
  #tensor: Tensor | null = null;
  #version = 0;

  constructor(
    readonly shape: Shape,
    readonly initializer: Initializer,
    /** Element type in checkpoints; `i64` counters are i32 on a device. */
    readonly dtype: 'f32' | 'i64' = 'f32',
  ) {}

  get size(): number {
    return sizeOf(this.shape);
  }

  /** Counts the changes of value. */
  get version(): number {
    return this.#version;
  }

  get hasValue(): boolean {
    return this.#tensor !== null;
  }

  /** The value. @throws IIError before the module was initialised or loaded. */
  get tensor(): Tensor {
    if (this.#tensor) return this.#tensor;
    throw new IIError(
      'ERR_NO_WEIGHTS',
      `a parameter of shape ${showShape(this.shape)} has no value yet; call load() or initialize() on the model first`,
    );
  }

  /** Draws a starting value from the initialiser's distribution. */
  initialize(device: Device, random: Random): void {
    const values = new Float32Array(this.size);
    this.initializer(values, this.shape, random);
    this.#place(device, this.dtype === 'f32' ? values : Int32Array.from(values));
  }

  /** Reads the value from a checkpoint; its shape has been checked. */
  async load(device: Device, stored: StoredTensor): Promise<void> {
    this.#place(device, this.dtype === 'f32' ? await toFloat32(stored) : toInt32(await readElements(stored)));
  }

  /** The value as a checkpoint stores it; read from the device when asked for. */
  stored(): StoredTensor {
    const { tensor } = this;
    const bytes = async (): Promise<Uint8Array> => {
      const values = await tensor.read();
      const elements = this.dtype === 'i64' ? BigInt64Array.from(values, BigInt) : values;
      return storedTensor(elements, this.shape).bytes();
    };
    return { dtype: this.dtype, shape: this.shape, bytes };
  }

  dispose(): void {
    this.#tensor?.dispose();
    this.#tensor = null;
  }

  #place(device: Device, values: Float32Array | Int32Array): void {
    this.dispose();
    this.#tensor = keep(device.tensor(values, this.shape, { residence: 'host' }));
    this.#version++;
  }
}

function toInt32(elements: DecodedArray): Int32Array {
  const out = new Int32Array(elements.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(elements[i]);
  return out;
}

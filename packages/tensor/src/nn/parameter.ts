import type { Device } from '../device.js';
import { IIError } from '../errors.js';
import { readElements, storedTensor, toFloat32, type DecodedArray } from '../io/decode.js';
import type { StoredTensor } from '../io/stored-tensor.js';
import type { Random } from '../random.js';
import { noGrad } from '../autograd/tape.js';
import { add } from '../ops/elementwise.js';
import { copyInto } from '../ops/layout.js';
import { inFullPrecision } from '../precision.js';
import { keep } from '../scope.js';
import { sameShape, showShape, sizeOf, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import type { Initializer } from './init.js';

type ParameterValues = Float32Array | Int32Array;

/**
 * A named tensor of a module: a trained parameter, or a buffer such as a running mean. It has a shape from the start
 * and a value once the module is initialised or loaded, so that models of any size can be built and counted for free.
 */
export class Parameter {
  #tensor: Tensor | null = null;
  #gradient: Tensor | null = null;
  #version = 0;
  #resident = false;
  /** The value on the host, until it changes on the device: the array that devices hold weights in, no copy of it. */
  #placed: ParameterValues | null = null;
  /** Whether `backward` computes a gradient for it. Default: true; frozen stages set it to false. */
  trainable = true;

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

  /** Sum of the gradients since {@link Parameter.zeroGradient}; null before the first. */
  get gradient(): Tensor | null {
    return this.#gradient;
  }

  /** Adds a gradient of the parameter's shape and takes it over. */
  addGradient(gradient: Tensor): void {
    const before = this.#gradient;
    this.#gradient = keep(before ? inFullPrecision(() => noGrad(() => add(before, gradient))) : gradient);
    if (!before) return;
    before.dispose();
    gradient.dispose();
  }

  /** Forgets the gradient. */
  zeroGradient(): void {
    this.#gradient?.dispose();
    this.#gradient = null;
  }

  /**
   * Moves the value into the device's memory, where optimisers change it in place. Weights are otherwise held on the host
   * and brought in as kernels need them.
   */
  makeResident(): void {
    if (this.#resident) return;
    const held = this.tensor;
    const copy = keep(held.device.empty(held.shape, held.dtype));
    copyInto(copy, held);
    this.replace(copy);
  }

  /** Gives the parameter a new value, on the device, of its shape and dtype, and takes it over. */
  replace(tensor: Tensor): void {
    if (!sameShape(tensor.shape, this.shape) || tensor.dtype !== this.tensor.dtype) {
      throw new IIError(
        'ERR_PARAMETER',
        `a parameter of shape ${showShape(this.shape)} and dtype ${this.tensor.dtype} cannot become a tensor of shape ${showShape(tensor.shape)} and dtype ${tensor.dtype}`,
      );
    }
    this.#tensor?.dispose();
    this.#tensor = keep(tensor);
    this.#resident = true;
    this.touch();
  }

  /** To be called when a kernel has changed the value in place: what was derived from it is computed anew. */
  touch(): void {
    this.#version++;
    this.#placed = null;
  }

  /**
   * Brings the value, if there is one, onto another device; a gradient stays behind. A value that was initialised or
   * loaded survives the loss of its device; one that changed on it has to be read from it.
   *
   * @throws DeviceLostError or DisposedError when a changed value cannot be read any more.
   */
  async moveTo(device: Device): Promise<void> {
    if (!this.#tensor) return;
    this.#place(device, this.#placed ?? ((await this.#tensor.read()) as ParameterValues));
  }

  dispose(): void {
    this.zeroGradient();
    this.#tensor?.dispose();
    this.#tensor = null;
    this.#placed = null;
  }

  #place(device: Device, values: ParameterValues): void {
    this.dispose();
    this.#resident = false;
    this.#tensor = keep(device.tensor(values, this.shape, { residence: 'host' }));
    this.#version++;
    this.#placed = values;
  }
}

function toInt32(elements: DecodedArray): Int32Array {
  const out = new Int32Array(elements.length);
  for (let i = 0; i < out.length; i++) out[i] = Number(elements[i]);
  return out;
}

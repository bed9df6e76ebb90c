import type { Device } from '../device.js';
import type { StateDict, StoredTensor } from '../io/stored-tensor.js';
import type { MomentsSync } from '../ops/norm.js';
import { Random } from '../random.js';
import type { Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import type { Initializer } from './init.js';
import { loadParameters, type LoadOptions, type LoadReport } from './load.js';
import { Parameter } from './parameter.js';

/** What modules that behave differently in training need for it. */
export interface Training {
  /** Draws what dropout leaves out. Modules draw in the order of the forward pass. */
  readonly random: Random;
  /** Statistics over several batches at once, for batch norms. Default: each batch by itself. */
  readonly sync?: MomentsSync | undefined;
}

/**
 * A tree of parameters and sub-modules under PyTorch's names: what {@link Module.stateDict} gives loads in PyTorch, and
 * an official checkpoint loads here with no table of names.
 *
 * A subclass registers its parts under their PyTorch keys in its constructor and composes operators in a method of its
 * own, by convention `forward`. Building a module allocates nothing.
 */
export abstract class Module {
  #training: Training | null = null;
  readonly #parameters = new Map<string, Parameter>();
  readonly #buffers = new Map<string, Parameter>();
  readonly #children = new Map<string, Module>();

  /** Registers a trained parameter. */
  protected parameter(key: string, shape: Shape, initializer: Initializer): Parameter {
    const parameter = new Parameter(shape, initializer);
    this.#parameters.set(key, parameter);
    return parameter;
  }

  /** Registers state that is saved but not trained. */
  protected buffer(key: string, shape: Shape, initializer: Initializer, dtype: 'f32' | 'i64' = 'f32'): Parameter {
    const buffer = new Parameter(shape, initializer, dtype);
    this.#buffers.set(key, buffer);
    return buffer;
  }

  /** Registers a sub-module; a dotted key stands for a place inside PyTorch containers, for example `dw_conv.0`. */
  protected child<M extends Module>(key: string, module: M): M {
    this.#children.set(key, module);
    return module;
  }

  /** Registers a `ModuleList`. */
  protected list<M extends Module>(key: string, modules: readonly M[]): readonly M[] {
    modules.forEach((module, i) => this.child(`${key}.${i}`, module));
    return modules;
  }

  /** Trained parameters by full name, in PyTorch's order: a module's own before its children's. */
  *namedParameters(prefix = ''): IterableIterator<[string, Parameter]> {
    for (const [key, parameter] of this.#parameters) yield [prefix + key, parameter];
    for (const [key, child] of this.#children) yield* child.namedParameters(`${prefix}${key}.`);
  }

  /** Buffers by full name, in PyTorch's order. */
  *namedBuffers(prefix = ''): IterableIterator<[string, Parameter]> {
    for (const [key, buffer] of this.#buffers) yield [prefix + key, buffer];
    for (const [key, child] of this.#children) yield* child.namedBuffers(`${prefix}${key}.`);
  }

  /** This module and all below it by full name; the root's name is empty. */
  *namedModules(name = ''): IterableIterator<[string, Module]> {
    yield [name, this];
    for (const [key, child] of this.#children) yield* child.namedModules(name ? `${name}.${key}` : key);
  }

  /** Parameters and buffers by full name, in the order of PyTorch's `state_dict()`. */
  *namedState(prefix = ''): IterableIterator<[string, Parameter]> {
    for (const own of [this.#parameters, this.#buffers]) for (const [key, value] of own) yield [prefix + key, value];
    for (const [key, child] of this.#children) yield* child.namedState(`${prefix}${key}.`);
  }

  /** Number of trained scalars: #param of the model tables; buffers are not counted. */
  parameterCount(): number {
    let count = 0;
    for (const [, { size }] of this.namedParameters()) count += size;
    return count;
  }

  /** Gives every parameter and buffer its starting value; the same seed gives the same values on every platform. */
  initialize(device: Device, seed: number): void {
    for (const [name, parameter] of this.namedState()) parameter.initialize(device, new Random(seed, name));
  }

  /**
   * Loads a checkpoint's tensors. Names and shapes are checked before anything is read.
   *
   * @throws StateDictError in strict mode (the default) when a tensor is missing, unexpected or misshapen; the error
   * carries the report.
   */
  load(device: Device, weights: StateDict, options: LoadOptions = {}): Promise<LoadReport> {
    return loadParameters(this, device, weights, options);
  }

  /** The tensors of a checkpoint, under PyTorch's names and shapes; read from the device as they are written. */
  stateDict(): StateDict {
    const entries = new Map<string, StoredTensor>();
    for (const [name, parameter] of this.namedState()) entries.set(name, parameter.stored());
    return entries;
  }

  /**
   * Switches this module and all below it to training, or with null back to inference. Values of parameters and buffers
   * move to the device's memory, where optimisers change them.
   *
   * @throws IIError when a parameter has no value yet.
   */
  train(training: Training | null): void {
    for (const [, module] of this.namedModules()) module.#training = training;
    if (training) for (const [, parameter] of this.namedState()) parameter.makeResident();
  }

  /** Null in inference, which is the default. */
  get training(): Training | null {
    return this.#training;
  }

  /** Forgets the gradients of all parameters. */
  zeroGradients(): void {
    for (const [, parameter] of this.namedParameters()) parameter.zeroGradient();
  }

  /** Counts the changes of all values: what was computed from them holds while this stays the same. */
  get version(): number {
    let version = 0;
    for (const [, parameter] of this.namedState()) version += parameter.version;
    return version;
  }

  /** Computes ahead what the modules derive from their parameters and keep; captures must not contain it. */
  derive(): void {
    for (const [, module] of this.namedModules()) module.computeDerived();
  }

  /**
   * Brings all values onto another device, also from one that was lost (see {@link Parameter.moveTo}).
   *
   * @throws DeviceLostError or DisposedError when a value that changed on its device cannot be read any more.
   */
  async moveTo(device: Device): Promise<void> {
    for (const [, module] of this.namedModules()) module.disposeDerived();
    for (const [, parameter] of this.namedState()) await parameter.moveTo(device);
  }

  /** Gives back the memory of all parameters, buffers and derived values. Harmless when repeated. */
  dispose(): void {
    for (const [, parameter] of this.namedState()) parameter.dispose();
    for (const [, module] of this.namedModules()) module.disposeDerived();
  }

  /** Computes the tensors that a module derives from its parameters and keeps. */
  protected computeDerived(): void {}

  /** Gives back tensors that a module derived from its parameters and keeps. */
  protected disposeDerived(): void {}
}

/** A value derived from parameters (such as a folded batch norm), computed again when one of them changes. */
export class Derived<T extends { readonly [key: string]: Tensor }> {
  #value: T | null = null;
  #versions = '';

  get(sources: readonly Parameter[], compute: () => T): T {
    const versions = sources.map((p) => p.version).join();
    if (this.#value && versions === this.#versions) return this.#value;
    this.dispose();
    this.#versions = versions;
    this.#value = compute();
    return this.#value;
  }

  dispose(): void {
    for (const tensor of Object.values(this.#value ?? {})) tensor.dispose();
    this.#value = null;
  }
}

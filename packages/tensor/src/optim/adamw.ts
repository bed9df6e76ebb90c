import type { Device } from '../device.js';
import { FormatError, IIError } from '../errors.js';
import { readElements, storedTensor, toFloat32 } from '../io/decode.js';
import type { StateDict, StoredTensor } from '../io/stored-tensor.js';
import type { Parameter } from '../nn/parameter.js';
import { adamWStep } from '../ops/gradients/index.js';
import { keep } from '../scope.js';
import { sameShape, showShape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import type { ParameterGroup } from './parameter-group.js';

export interface AdamWHyperparameters {
  /** Decay of the running mean of the gradient. Default: 0.9. */
  readonly beta1?: number;
  /** Decay of the running mean of its square. Default: 0.999. */
  readonly beta2?: number;
  /** Default: 1e-8. */
  readonly eps?: number;
}

/** What AdamW remembers of a parameter. */
interface Moments {
  readonly mean: Tensor;
  readonly variance: Tensor;
  /** Steps that the parameter has taken. */
  step: number;
}

/**
 * AdamW (Loshchilov & Hutter, arXiv 1711.05101) as PyTorch computes it, over parameter groups. Steps are enqueued like
 * any operator and change the parameters in place; the moments stay on the device.
 */
export class AdamW {
  readonly #options: Required<AdamWHyperparameters>;
  readonly #moments = new Map<string, Moments>();

  /** @throws IIError when a parameter is in two groups, or an option is out of range. */
  constructor(
    readonly groups: readonly ParameterGroup[],
    { beta1 = 0.9, beta2 = 0.999, eps = 1e-8 }: AdamWHyperparameters = {},
  ) {
    const seen = new Set<string>();
    for (const name of groups.flatMap(({ parameters }) => [...parameters.keys()])) {
      if (seen.has(name)) throw new IIError('ERR_OPTION', `AdamW: parameter '${name}' is in two groups`);
      seen.add(name);
    }
    for (const [name, value] of Object.entries({ beta1, beta2 })) {
      if (!(value >= 0 && value < 1)) throw new IIError('ERR_OPTION', `AdamW: ${name} must be in [0, 1), got ${value}`);
    }
    if (!(eps > 0)) throw new IIError('ERR_OPTION', `AdamW: eps must be above 0, got ${eps}`);
    this.#options = { beta1, beta2, eps };
  }

  /**
   * Moves every parameter that has a gradient; the gradients stay.
   *
   * @param lrs learning rates, one for each group: scaled already.
   * @param scale a scalar tensor that the gradients are multiplied by first, for example {@link clipFactor}'s.
   */
  step(lrs: readonly number[], scale?: Tensor): void {
    if (lrs.length !== this.groups.length) {
      throw new IIError('ERR_OPTION', `AdamW: ${this.groups.length} groups need as many rates, got ${lrs.length}`);
    }
    const { beta1, beta2, eps } = this.#options;
    this.groups.forEach(({ parameters, weightDecay }, group) => {
      const lr = lrs[group]!;
      for (const [name, parameter] of parameters) {
        const { gradient } = parameter;
        if (!gradient) continue;
        const moments = this.#momentsOf(name, parameter);
        moments.step++;
        adamWStep(
          { parameter: parameter.tensor, gradient, mean: moments.mean, variance: moments.variance, scale },
          { lr, beta1, beta2, eps, weightDecay, step: moments.step },
        );
        parameter.touch();
      }
    });
  }

  /** Forgets the gradients of all groups. */
  zeroGradients(): void {
    for (const { parameters } of this.groups) for (const parameter of parameters.values()) parameter.zeroGradient();
  }

  /**
   * What a checkpoint must hold to go on: for each parameter that has taken a step `exp_avg.NAME`, `exp_avg_sq.NAME`
   * (PyTorch's words for the moments) and the count `step.NAME`; read from the device as they are written.
   */
  stateDict(): StateDict {
    const state = new Map<string, StoredTensor>();
    for (const [name, { mean, variance, step }] of this.#moments) {
      state.set(`exp_avg.${name}`, stored(mean));
      state.set(`exp_avg_sq.${name}`, stored(variance));
      state.set(`step.${name}`, storedTensor(BigInt64Array.of(BigInt(step)), []));
    }
    return state;
  }

  /**
   * Takes over the state of another AdamW of the same groups.
   *
   * @throws FormatError, naming the tensor, when the state does not fit; the old state is gone then.
   */
  async load(device: Device, state: StateDict): Promise<void> {
    this.dispose();
    const parameters = new Map(this.groups.flatMap((group) => [...group.parameters]));
    for (const [key, tensor] of state) {
      const [, kind = '', name = ''] = /^(exp_avg|exp_avg_sq|step)\.(.+)$/.exec(key) ?? [];
      const parameter = parameters.get(name);
      if (!parameter) throw new FormatError(`optimiser state '${key}' belongs to no trainable parameter of the model`);
      const shape = kind === 'step' ? [] : parameter.shape;
      if (!sameShape(tensor.shape, shape)) {
        throw new FormatError(
          `optimiser state '${key}' has shape ${showShape(tensor.shape)}, expected ${showShape(shape)}`,
        );
      }
      if (kind !== 'exp_avg') continue;
      const [variance, step] = [state.get(`exp_avg_sq.${name}`), state.get(`step.${name}`)];
      if (!variance || !step) throw new FormatError(`optimiser state of '${name}' is incomplete`);
      this.#moments.set(name, {
        mean: keep(device.tensor(await toFloat32(tensor), parameter.shape)),
        variance: keep(device.tensor(await toFloat32(variance), parameter.shape)),
        step: Number((await readElements(step))[0]),
      });
    }
  }

  /** Gives the moments back. Harmless when repeated. */
  dispose(): void {
    for (const { mean, variance } of this.#moments.values()) {
      mean.dispose();
      variance.dispose();
    }
    this.#moments.clear();
  }

  #momentsOf(name: string, { tensor: { device }, shape, size }: Parameter): Moments {
    let moments = this.#moments.get(name);
    if (!moments) {
      const zeros = (): Tensor => keep(device.tensor(new Float32Array(size), shape));
      moments = { mean: zeros(), variance: zeros(), step: 0 };
      this.#moments.set(name, moments);
    }
    return moments;
  }
}

/** A tensor as a checkpoint stores it, read when asked for. */
function stored(tensor: Tensor): StoredTensor {
  const { shape } = tensor;
  return { dtype: 'f32', shape, bytes: async () => storedTensor(await tensor.readFloat32(), shape).bytes() };
}

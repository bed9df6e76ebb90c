import { noGrad } from '../autograd/tape.js';
import { inFullPrecision } from '../precision.js';
import { conv2d } from '../ops/conv2d.js';
import type { EpilogueOptions } from '../ops/epilogue.js';
import { linear } from '../ops/linear.js';
import { add, cast, mul } from '../ops/elementwise.js';
import { batchNorm, batchNormTrain, foldBatchNorm, layerNorm, type Moments } from '../ops/norm.js';
import { keep, scope } from '../scope.js';
import { pair, type Pair } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { kaimingUniform, ones, uniform, zeros, type Initializer } from './init.js';
import { Derived, Module } from './module.js';
import type { Parameter } from './parameter.js';

/** What a layer may fuse behind its product; its own bias comes from its parameters. */
export type LayerEpilogue = Omit<EpilogueOptions, 'bias'>;

export interface LinearLayerOptions {
  /** Default: true. */
  readonly bias?: boolean;
  /** Default: PyTorch's, uniform in ±1/√in. */
  readonly weightInit?: Initializer;
  /** Default: PyTorch's, uniform in ±1/√in. */
  readonly biasInit?: Initializer;
  /** Whether checkpoints keep the result instead of computing it again. Default: false. */
  readonly keptInCheckpoint?: boolean;
}

/** `x · weightᵀ + bias` over the last axis. Keys: `weight` `[out, in]`, `bias` `[out]`. */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly #keptInCheckpoint: boolean;

  constructor(inFeatures: number, outFeatures: number, options: LinearLayerOptions = {}) {
    super();
    this.#keptInCheckpoint = options.keptInCheckpoint ?? false;
    this.weight = this.parameter('weight', [outFeatures, inFeatures], options.weightInit ?? kaimingUniform);
    if (options.bias ?? true) {
      this.bias = this.parameter('bias', [outFeatures], options.biasInit ?? uniform(1 / Math.sqrt(inFeatures)));
    }
  }

  /** `[…, in]` → `[…, out]`. */
  forward(x: Tensor, epilogue: LayerEpilogue = {}): Tensor {
    const keptInCheckpoint = this.#keptInCheckpoint;
    return linear(x, this.weight.tensor, { ...epilogue, bias: this.bias?.tensor, keptInCheckpoint });
  }
}

export interface Conv2dLayerOptions {
  /** Default: 1. */
  readonly stride?: Pair;
  /** Default: 0. */
  readonly padding?: Pair;
  /** Default: 1. */
  readonly dilation?: Pair;
  /** Default: 1. */
  readonly groups?: number;
  /** Default: true. */
  readonly bias?: boolean;
  /** Default: PyTorch's, uniform in ±1/√fanIn. */
  readonly weightInit?: Initializer;
  /** Default: PyTorch's, uniform in ±1/√fanIn. */
  readonly biasInit?: Initializer;
}

/** 2-D convolution. Keys: `weight` `[out, in / groups, kH, kW]`, `bias` `[out]`. */
export class Conv2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly #options: Conv2dLayerOptions;

  constructor(inChannels: number, outChannels: number, kernelSize: Pair, options: Conv2dLayerOptions = {}) {
    super();
    const [kh, kw] = pair(kernelSize);
    const perGroup = inChannels / (options.groups ?? 1);
    this.weight = this.parameter('weight', [outChannels, perGroup, kh, kw], options.weightInit ?? kaimingUniform);
    if (options.bias ?? true) {
      const biasInit = options.biasInit ?? uniform(1 / Math.sqrt(perGroup * kh * kw));
      this.bias = this.parameter('bias', [outChannels], biasInit);
    }
    this.#options = options;
  }

  /** `[N, H, W, in]` → `[N, Ho, Wo, out]`. */
  forward(x: Tensor, epilogue: EpilogueOptions = {}): Tensor {
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = this.#options;
    const bias = epilogue.bias ?? this.bias?.tensor;
    return conv2d(x, this.weight.tensor, { stride, padding, dilation, groups, ...epilogue, bias });
  }
}

/** Normalisation over the last axis. Keys: `weight`, `bias` `[C]`. */
export class LayerNorm extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;

  /** @param eps PyTorch's default is 1e-5; every LayerNorm of InternImage has 1e-6. */
  constructor(
    channels: number,
    readonly eps: number,
  ) {
    super();
    this.weight = this.parameter('weight', [channels], ones);
    this.bias = this.parameter('bias', [channels], zeros);
  }

  /** `[…, C]` → `[…, C]`. */
  forward(x: Tensor): Tensor {
    return layerNorm(x, { weight: this.weight.tensor, bias: this.bias.tensor, eps: this.eps });
  }
}

/**
 * Batch norm with running statistics, over the last axis. Keys: `weight`, `bias`, `running_mean`, `running_var` `[C]`,
 * `num_batches_tracked` (a scalar).
 */
export class BatchNorm2d extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly runningMean: Parameter;
  readonly runningVar: Parameter;
  readonly numBatchesTracked: Parameter;
  readonly #folded = new Derived<{ scale: Tensor; shift: Tensor }>();

  constructor(
    channels: number,
    readonly eps = 1e-5,
    /** Share of the new in the running statistics. */
    readonly momentum = 0.1,
  ) {
    super();
    this.weight = this.parameter('weight', [channels], ones);
    this.bias = this.parameter('bias', [channels], zeros);
    this.runningMean = this.buffer('running_mean', [channels], zeros);
    this.runningVar = this.buffer('running_var', [channels], ones);
    this.numBatchesTracked = this.buffer('num_batches_tracked', [], zeros, 'i64');
  }

  /**
   * `[…, C]` → `[…, C]`. In training by the batch's own statistics, which also move the running ones (the variance
   * unbiased, as in PyTorch).
   *
   * @throws ShapeError in training when there is one value per channel.
   */
  forward(x: Tensor): Tensor {
    const { training } = this;
    if (!training) return batchNorm(x, this.#tensors());
    const { weight, bias, eps } = this.#tensors();
    const { y, moments } = batchNormTrain(x, { weight, bias, eps, sync: training.sync });
    inFullPrecision(() => noGrad(() => this.#follow(moments)));
    return y;
  }

  #follow({ mean, variance, count }: Moments): void {
    const step = (running: Parameter, batch: Tensor, factor: number): void => {
      const next = scope(() => add(mul(running.tensor, 1 - this.momentum), mul(batch, this.momentum * factor)));
      running.replace(next);
    };
    step(this.runningMean, mean, 1);
    step(this.runningVar, variance, count / (count - 1));
    // Integers are counted in f32, which is exact up to 16 million batches.
    const tracked = this.numBatchesTracked;
    tracked.replace(scope(() => cast(add(cast(tracked.tensor, 'f32'), 1), 'i32')));
    mean.dispose();
    variance.dispose();
  }

  /** The affine map that this norm is, both `[C]`: for the convolution before it to apply. The module owns the tensors. */
  folded(): { readonly scale: Tensor; readonly shift: Tensor } {
    return this.#folded.get([this.weight, this.bias, this.runningMean, this.runningVar], () => {
      const { scale, shift } = foldBatchNorm(this.#tensors());
      return { scale: keep(scale), shift: keep(shift) };
    });
  }

  protected override computeDerived(): void {
    this.folded();
  }

  protected override disposeDerived(): void {
    this.#folded.dispose();
  }

  #tensors() {
    return {
      mean: this.runningMean.tensor,
      variance: this.runningVar.tensor,
      weight: this.weight.tensor,
      bias: this.bias.tensor,
      eps: this.eps,
    };
  }
}

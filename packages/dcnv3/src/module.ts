import {
  Conv2d,
  LayerNorm,
  Linear,
  Module,
  ShapeError,
  gelu,
  init,
  linear,
  type LayerEpilogue,
  type Parameter,
  type Tensor,
} from '@ii/tensor';
import { dcnv3 } from './dcnv3.js';

export interface DCNv3Options {
  /** Groups of channels with sampling points of their own. */
  readonly groups: number;
  /** Side of the square of sampling points. Default: 3. */
  readonly kernelSize?: number;
  /** Side of the depthwise kernel that offsets and masks are computed from. Default: `kernelSize`. */
  readonly dwKernelSize?: number | null;
  /** Default: 1. */
  readonly stride?: number;
  /** Default: 1. */
  readonly padding?: number;
  /** Default: 1. */
  readonly dilation?: number;
  /** Multiplies the grid and the offsets. Default: 1. */
  readonly offsetScale?: number;
  /** Blend each group with the unsampled input, by a learnt share. Default: false. */
  readonly centerFeatureScale?: boolean;
}

/** Every LayerNorm of InternImage has this epsilon. */
const EPS = 1e-6;

/**
 * The DCNv3 layer: input projection, sampling at learnt offsets with softmaxed weights, output projection. Offsets and
 * weights come from a depthwise convolution, LayerNorm and GELU of the *unprojected* input. Source: InternImage,
 * section 3.1; `ops_dcnv3/modules/dcnv3.py`. Keys are that file's.
 */
export class DCNv3 extends Module {
  readonly #channels: number;
  readonly #options: Required<Omit<DCNv3Options, 'dwKernelSize'>>;
  readonly #dwConv: Conv2d;
  readonly #dwNorm: LayerNorm;
  readonly #offset: Linear;
  readonly #mask: Linear;
  readonly #inputProj: Linear;
  readonly #outputProj: Linear;
  readonly #centerWeight: Parameter | undefined;
  readonly #centerBias: Parameter | undefined;

  /** @throws ShapeError when `channels` is not a multiple of `groups`. */
  constructor(channels: number, options: DCNv3Options) {
    super();
    const { groups, kernelSize = 3, stride = 1, padding = 1, dilation = 1 } = options;
    const { offsetScale = 1, centerFeatureScale = false } = options;
    const dwKernelSize = options.dwKernelSize ?? kernelSize;
    if (!Number.isInteger(channels / groups)) {
      throw new ShapeError(`DCNv3: channels (${channels}) must be a multiple of groups (${groups})`);
    }
    this.#channels = channels;
    this.#options = { groups, kernelSize, stride, padding, dilation, offsetScale, centerFeatureScale };
    const points = groups * kernelSize * kernelSize;
    const constantZero = { weightInit: init.zeros, biasInit: init.zeros };
    const projection = { weightInit: init.xavierUniform, biasInit: init.zeros };
    if (centerFeatureScale) {
      this.#centerWeight = this.parameter('center_feature_scale_proj_weight', [groups, channels], init.zeros);
      this.#centerBias = this.parameter('center_feature_scale_proj_bias', [groups], init.zeros);
    }
    const depthwise = { padding: (dwKernelSize - 1) / 2, groups: channels };
    this.#dwConv = this.child('dw_conv.0', new Conv2d(channels, channels, dwKernelSize, depthwise));
    this.#dwNorm = this.child('dw_conv.1.1', new LayerNorm(channels, EPS));
    this.#offset = this.child('offset', new Linear(channels, points * 2, constantZero));
    this.#mask = this.child('mask', new Linear(channels, points, constantZero));
    this.#inputProj = this.child('input_proj', new Linear(channels, channels, projection));
    // A block's checkpoint computes again what leads to this product, and keeps its result: one map.
    const last = { ...projection, keptInCheckpoint: true };
    this.#outputProj = this.child('output_proj', new Linear(channels, channels, last));
  }

  /**
   * `[N, H, W, C]` → `[N, Ho, Wo, C]`.
   *
   * @param epilogue fused behind the output projection, for example a residual connection.
   * @throws ShapeError when `x` does not have the layer's channels.
   */
  forward(x: Tensor, epilogue: LayerEpilogue = {}): Tensor {
    if (x.shape.length !== 4 || x.shape[3] !== this.#channels) {
      throw new ShapeError(`DCNv3: expected [N, H, W, ${this.#channels}], got [${x.shape.join(', ')}]`);
    }
    const { groups, kernelSize, stride, padding, dilation, offsetScale } = this.#options;
    const value = this.#inputProj.forward(x);
    const query = gelu(this.#dwNorm.forward(this.#dwConv.forward(x)));
    const centerScale = this.#centerScale(query);
    const sampled = dcnv3(value, this.#offset.forward(query), this.#mask.forward(query), {
      ...{ groups, kernelSize, stride, padding, dilation, offsetScale, softmax: true },
      ...(centerScale && { centerScale }),
    });
    return this.#outputProj.forward(sampled, epilogue);
  }

  /** The share of the unsampled input per group, `[N, H, W, G]`. */
  #centerScale(query: Tensor): Tensor | undefined {
    if (!this.#centerWeight || !this.#centerBias) return undefined;
    return linear(query, this.#centerWeight.tensor, { bias: this.#centerBias.tensor, activation: 'sigmoid' });
  }
}

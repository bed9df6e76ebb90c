/**
 * InternImage (Wang et al., CVPR 2023, arXiv 2211.05778): a convolutional backbone whose core operator is DCNv3. The
 * structure and the state-dict keys are those of `segmentation/mmseg_custom/models/backbones/intern_image.py`.
 *
 * Maps are `[N, H, W, C]` throughout. The fused epilogues (`layerScale`, `residual`) of the last linear layer of each
 * branch are the residual connections.
 */
import { DCNv3 } from '@ii/dcnv3';
import {
  Conv2d,
  DropPath,
  LayerNorm,
  Linear,
  Module,
  ShapeError,
  add,
  addScaled,
  checkpoint,
  gelu,
  init,
  mul,
  scope,
  type LayerEpilogue,
  type Parameter,
  type Tensor,
} from '@ii/tensor';
import { resolveInternImageConfig, type InternImageConfig, type ResolvedInternImageConfig } from './config.js';

/** Every LayerNorm of InternImage has this epsilon. */
const EPS = 1e-6;

/** The original draws the weights of plain linear layers so, with zero biases. */
const linearInit = { weightInit: init.truncatedNormal(0.02), biasInit: init.zeros };

/** Two strided convolutions: `[N, H, W, 3]` → `[N, H / 4, W / 4, C]`. */
class Stem extends Module {
  readonly #conv1: Conv2d;
  readonly #norm1: LayerNorm;
  readonly #conv2: Conv2d;
  readonly #norm2: LayerNorm;

  constructor(channels: number) {
    super();
    this.#conv1 = this.child('conv1', new Conv2d(3, channels / 2, 3, { stride: 2, padding: 1 }));
    this.#norm1 = this.child('norm1.1', new LayerNorm(channels / 2, EPS));
    this.#conv2 = this.child('conv2', new Conv2d(channels / 2, channels, 3, { stride: 2, padding: 1 }));
    this.#norm2 = this.child('norm2.1', new LayerNorm(channels, EPS));
  }

  forward(x: Tensor): Tensor {
    const half = gelu(this.#norm1.forward(this.#conv1.forward(x)));
    return this.#norm2.forward(this.#conv2.forward(half));
  }
}

/** One strided convolution: `[N, H, W, C]` → `[N, H / 2, W / 2, 2 C]`. */
class Downsample extends Module {
  readonly #conv: Conv2d;
  readonly #norm: LayerNorm;

  constructor(channels: number) {
    super();
    this.#conv = this.child('conv', new Conv2d(channels, 2 * channels, 3, { stride: 2, padding: 1, bias: false }));
    this.#norm = this.child('norm.1', new LayerNorm(2 * channels, EPS));
  }

  forward(x: Tensor): Tensor {
    return this.#norm.forward(this.#conv.forward(x));
  }
}

class MLP extends Module {
  readonly #fc1: Linear;
  readonly #fc2: Linear;

  constructor(channels: number, ratio: number) {
    super();
    const hidden = Math.trunc(channels * ratio);
    this.#fc1 = this.child('fc1', new Linear(channels, hidden, linearInit));
    // Two fifths of a block's products for a twentieth of its activations.
    this.#fc2 = this.child('fc2', new Linear(hidden, channels, { ...linearInit, keptInCheckpoint: true }));
  }

  forward(x: Tensor, epilogue: LayerEpilogue): Tensor {
    return this.#fc2.forward(this.#fc1.forward(x, { activation: 'gelu' }), epilogue);
  }
}

/** Anything that ends in a linear layer, so that the residual connection can be fused into it. */
interface Branch {
  forward(x: Tensor, epilogue: LayerEpilogue): Tensor;
}

/** One block: a DCNv3 branch and an MLP branch, each with its residual connection. */
class Layer extends Module {
  readonly #postNorm: boolean;
  readonly #withCp: boolean;
  readonly #dropPath: DropPath;
  readonly #gamma1: Parameter | undefined;
  readonly #gamma2: Parameter | undefined;
  readonly #norm1: LayerNorm;
  readonly #dcn: DCNv3;
  readonly #norm2: LayerNorm;
  readonly #mlp: MLP;
  readonly #resPostNorm1: LayerNorm | undefined;
  readonly #resPostNorm2: LayerNorm | undefined;

  constructor(channels: number, groups: number, dropPathRate: number, config: ResolvedInternImageConfig) {
    super();
    const { layerScale, offsetScale, dwKernelSize, centerFeatureScale } = config;
    this.#postNorm = config.postNorm;
    this.#withCp = config.withCp;
    this.#dropPath = this.child('drop_path', new DropPath(dropPathRate));
    if (layerScale !== null) {
      this.#gamma1 = this.parameter('gamma1', [channels], init.constant(layerScale));
      this.#gamma2 = this.parameter('gamma2', [channels], init.constant(layerScale));
    }
    this.#norm1 = this.child('norm1.0', new LayerNorm(channels, EPS));
    this.#dcn = this.child('dcn', new DCNv3(channels, { groups, offsetScale, dwKernelSize, centerFeatureScale }));
    this.#norm2 = this.child('norm2.0', new LayerNorm(channels, EPS));
    this.#mlp = this.child('mlp', new MLP(channels, config.mlpRatio));
    if (config.resPostNorm) {
      const first = this.child('res_post_norm1.0', new LayerNorm(channels, EPS));
      const second = this.child('res_post_norm2.0', new LayerNorm(channels, EPS));
      // With a layer scale the original keeps these norms in the checkpoint but never applies them.
      if (layerScale === null) [this.#resPostNorm1, this.#resPostNorm2] = [first, second];
    }
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      // Drawn here, so that a checkpoint computes the same again.
      const paths = [this.#dropPath.draw(x), this.#dropPath.draw(x)].filter((path) => path !== null);
      if (this.#withCp && this.training) return checkpoint((map, ...drawn) => this.#branches(map, drawn), x, ...paths);
      return this.#branches(x, paths);
    });
  }

  /** @param paths the factors of both branches for each image, or none. */
  #branches(x: Tensor, [first, second]: readonly Tensor[]): Tensor {
    return scope(() => {
      const y = scope(() => this.#residual(x, this.#norm1, this.#dcn, this.#gamma1, this.#resPostNorm1, first));
      return this.#residual(y, this.#norm2, this.#mlp, this.#gamma2, this.#resPostNorm2, second);
    });
  }

  #residual(
    x: Tensor,
    norm: LayerNorm,
    branch: Branch,
    gamma: Parameter | undefined,
    resPostNorm: LayerNorm | undefined,
    path: Tensor | undefined,
  ): Tensor {
    const layerScale = gamma?.tensor;
    if (path) {
      const y = this.#branch(x, norm, branch, resPostNorm);
      return add(x, mul(layerScale ? mul(y, layerScale) : y, path));
    }
    if (!this.#postNorm && !resPostNorm) return branch.forward(norm.forward(x), { layerScale, residual: x });
    const y = this.#branch(x, norm, branch, resPostNorm);
    return layerScale ? addScaled(x, y, layerScale) : add(x, y);
  }

  #branch(x: Tensor, norm: LayerNorm, branch: Branch, resPostNorm: LayerNorm | undefined): Tensor {
    if (this.#postNorm) return norm.forward(branch.forward(x, {}));
    const y = branch.forward(norm.forward(x), {});
    return resPostNorm ? resPostNorm.forward(y) : y;
  }
}

/** Rates of stochastic depth grow linearly from the first block to the last. */
function dropPathRates({ depths, dropPathRate }: ResolvedInternImageConfig): (block: number) => number {
  const last = depths.reduce((sum, depth) => sum + depth, 0) - 1;
  return (block) => (last > 0 ? (dropPathRate * block) / last : 0);
}

/** Blocks of one resolution. Its map is taken after the last norm, before the downsampling. */
class Stage extends Module {
  readonly #blocks: readonly Layer[];
  readonly #norm: LayerNorm | undefined;
  readonly #postNorms: ReadonlyMap<number, LayerNorm>;
  readonly downsample: Downsample | undefined;

  constructor(index: number, config: ResolvedInternImageConfig) {
    super();
    const { depths, postNorm, centerFeatureScale } = config;
    const channels = config.channels * 2 ** index;
    const rate = dropPathRates(config);
    const before = depths.slice(0, index).reduce((sum, depth) => sum + depth, 0);
    const layers = Array.from(
      { length: depths[index]! },
      (_, i) => new Layer(channels, config.groups[index]!, rate(before + i), config),
    );
    this.#blocks = this.list('blocks', layers);
    if (!postNorm || centerFeatureScale) this.#norm = this.child('norm.0', new LayerNorm(channels, EPS));
    const ids = index === 2 ? (config.level2PostNormBlockIds ?? []) : [];
    this.#postNorms = new Map(ids.map((id, i) => [id, this.child(`post_norms.${i}.0`, new LayerNorm(channels, EPS))]));
    if (index < depths.length - 1) this.downsample = this.child('downsample', new Downsample(channels));
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      let map = x;
      const advance = (next: Tensor): void => {
        if (map !== x) map.dispose();
        map = next;
      };
      this.#blocks.forEach((block, i) => {
        advance(block.forward(map));
        const postNorm = this.#postNorms.get(i);
        if (postNorm) advance(postNorm.forward(map));
      });
      if (this.#norm) advance(this.#norm.forward(map));
      return map;
    });
  }
}

/**
 * The InternImage backbone.
 *
 * ```ts
 * const backbone = new InternImage(variants.T);
 * backbone.initialize(device, 0);
 * const maps = backbone.forward(images); // [N, H, W, 3] → strides 4, 8, 16, 32
 * ```
 */
export class InternImage extends Module {
  readonly config: ResolvedInternImageConfig;
  readonly #stem: Stem;
  readonly #levels: readonly Stage[];

  /** @throws ShapeError or IIError when the configuration does not fit together. */
  constructor(config: InternImageConfig) {
    super();
    this.config = resolveInternImageConfig(config);
    this.#stem = this.child('patch_embed', new Stem(config.channels));
    this.#levels = this.list(
      'levels',
      config.depths.map((_, i) => new Stage(i, this.config)),
    );
  }

  /** Channels of the maps that {@link InternImage.forward} returns. */
  get outChannels(): readonly number[] {
    return this.config.outIndices.map((i) => this.config.channels * 2 ** i);
  }

  /**
   * @param x normalised images `[N, H, W, 3]`, any size.
   * @returns the maps of `outIndices`: stage `i` has stride `4 · 2^i` and `channels · 2^i` channels; sizes round up.
   * @throws ShapeError when `x` is not `[N, H, W, 3]`.
   */
  forward(x: Tensor): Tensor[] {
    if (x.shape.length !== 4 || x.shape[3] !== 3) {
      throw new ShapeError(`InternImage: expected images [N, H, W, 3], got [${x.shape.join(', ')}]`);
    }
    return scope(() => {
      const maps: Tensor[] = [];
      let next = this.#stem.forward(x);
      for (const [i, level] of this.#levels.entries()) {
        const map = level.forward(next);
        next.dispose();
        if (level.downsample) next = level.downsample.forward(map);
        maps.push(map);
        if (!this.config.outIndices.includes(i)) map.dispose();
      }
      return this.config.outIndices.map((i) => maps[i]!);
    });
  }
}

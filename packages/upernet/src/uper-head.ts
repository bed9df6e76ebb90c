/**
 * UPerNet's decode head (Xiao et al., ECCV 2018, arXiv 1807.10221), as `mmseg/models/decode_heads/uper_head.py`.
 */
import { Conv2d, Dropout2d, Module, init, resizeBilinear, scope, type Tensor } from '@ii/tensor';
import type { ResolvedUperNetConfig } from './config.js';
import { ConvModule } from './conv-module.js';
import { PyramidPooling } from './pyramid-pooling.js';

/** The classifier of both heads starts from normal weights and zero biases. */
export function classifier(channels: number, numClasses: number): Conv2d {
  return new Conv2d(channels, numClasses, 1, { weightInit: init.normal(0.01), biasInit: init.zeros });
}

export class UPerHead extends Module {
  readonly #classifier: Conv2d;
  readonly #dropout: Dropout2d;
  readonly #pooling: PyramidPooling;
  readonly #bottleneck: ConvModule;
  readonly #laterals: readonly ConvModule[];
  readonly #fpnConvs: readonly ConvModule[];
  readonly #fpnBottleneck: ConvModule;

  /** @param inChannels of the backbone's maps, finest first. */
  constructor(inChannels: readonly number[], { decodeHead, numClasses }: ResolvedUperNetConfig) {
    super();
    const { channels, poolScales } = decodeHead;
    const top = inChannels.at(-1)!;
    const finer = inChannels.slice(0, -1);
    this.#classifier = this.child('conv_seg', classifier(channels, numClasses));
    this.#dropout = this.child('dropout', new Dropout2d(decodeHead.dropoutRatio));
    this.#pooling = this.child('psp_modules', new PyramidPooling(top, channels, poolScales));
    this.#bottleneck = this.child('bottleneck', new ConvModule(top + poolScales.length * channels, channels, 3));
    this.#laterals = this.list(
      'lateral_convs',
      finer.map((c) => new ConvModule(c, channels, 1)),
    );
    this.#fpnConvs = this.list(
      'fpn_convs',
      finer.map(() => new ConvModule(channels, channels, 3)),
    );
    this.#fpnBottleneck = this.child('fpn_bottleneck', new ConvModule(inChannels.length * channels, channels, 3));
  }

  /**
   * @param maps of the backbone, finest first.
   * @returns logits `[N, H / 4, W / 4, classes]`, at the size of the finest map.
   */
  forward(maps: readonly Tensor[]): Tensor {
    return scope(() => {
      const top = maps.at(-1)!;
      const pooled = this.#bottleneck.forwardPyramid([top, ...this.#pooling.forward(top)]);
      const levels = [pooled];
      let merged = pooled;
      for (let i = this.#laterals.length - 1; i >= 0; i--) {
        const coarser = merged;
        merged = this.#merge(i, maps[i]!, coarser);
        // Only the top is a level by itself; the others were done with when their level was made.
        if (coarser !== pooled) coarser.dispose();
        levels.unshift(this.#fpnConvs[i]!.forward(merged));
      }
      if (merged !== pooled) merged.dispose();
      return this.#classifier.forward(this.#dropout.forward(this.#fpnBottleneck.forwardPyramid(levels)));
    });
  }

  /** The lateral of a level with the next coarser one added to it. */
  #merge(level: number, map: Tensor, coarser: Tensor): Tensor {
    return scope(() => {
      const residual = resizeBilinear(coarser, [map.shape[1]!, map.shape[2]!]);
      return this.#laterals[level]!.forward(map, { residual });
    });
  }
}

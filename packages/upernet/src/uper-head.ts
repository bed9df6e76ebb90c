/**
 * UPerNet's decode head (Xiao et al., ECCV 2018, arXiv 1807.10221), as `mmseg/models/decode_heads/uper_head.py`.
 */
import { Conv2d, Module, add, concat, init, resizeBilinear, scope, type Tensor } from '@ii/tensor';
import type { ResolvedUperNetConfig } from './config.js';
import { ConvModule } from './conv-module.js';
import { PyramidPooling } from './pyramid-pooling.js';

/** The classifier of both heads starts from normal weights and zero biases. */
export function classifier(channels: number, numClasses: number): Conv2d {
  return new Conv2d(channels, numClasses, 1, { weightInit: init.normal(0.01), biasInit: init.zeros });
}

export class UPerHead extends Module {
  readonly #classifier: Conv2d;
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
      const merged = this.#topDown(maps);
      const finest = merged[0]!;
      const size = [finest.shape[1]!, finest.shape[2]!] as const;
      const levels = merged.map((map, i) => {
        const level = this.#fpnConvs[i]?.forward(map) ?? map;
        return i === 0 ? level : resizeBilinear(level, size);
      });
      return this.#classifier.forward(this.#fpnBottleneck.forward(concat(levels)));
    });
  }

  /** The laterals of all levels, each with the coarser levels added. */
  #topDown(maps: readonly Tensor[]): Tensor[] {
    const top = maps.at(-1)!;
    const pooled = this.#bottleneck.forward(concat([top, ...this.#pooling.forward(top)]));
    const merged = [...this.#laterals.map((lateral, i) => lateral.forward(maps[i]!)), pooled];
    for (let i = merged.length - 2; i >= 0; i--) {
      const map = merged[i]!;
      merged[i] = add(map, resizeBilinear(merged[i + 1]!, [map.shape[1]!, map.shape[2]!]));
    }
    return merged;
  }
}

import { Dropout2d, Module, scope, type Conv2d, type Tensor } from '@ii/tensor';
import type { FCNHeadConfig } from './config.js';
import { ConvModule } from './conv-module.js';
import { classifier } from './uper-head.js';

/**
 * The auxiliary head: a few 3×3 convolutions and a classifier on one backbone map; it helps training and is not run in
 * inference. Source: `mmseg/models/decode_heads/fcn_head.py` with `concat_input=False`.
 */
export class FCNHead extends Module {
  readonly #inIndex: number;
  readonly #classifier: Conv2d;
  readonly #dropout: Dropout2d;
  readonly #convs: readonly ConvModule[];

  /** @param inChannels of the backbone's maps, finest first. */
  constructor(inChannels: readonly number[], config: Required<FCNHeadConfig>, numClasses: number) {
    super();
    const { inIndex, channels, numConvs } = config;
    this.#inIndex = inIndex;
    this.#classifier = this.child('conv_seg', classifier(channels, numClasses));
    this.#dropout = this.child('dropout', new Dropout2d(config.dropoutRatio));
    const convs = Array.from(
      { length: numConvs },
      (_, i) => new ConvModule(i ? channels : inChannels[inIndex]!, channels, 3),
    );
    this.#convs = this.list('convs', convs);
  }

  /** @returns logits at the size of the map it reads, `[N, h, w, classes]`. */
  forward(maps: readonly Tensor[]): Tensor {
    return scope(() => {
      const features = this.#convs.reduce((map, conv) => conv.forward(map), maps[this.#inIndex]!);
      return this.#classifier.forward(this.#dropout.forward(features));
    });
  }
}

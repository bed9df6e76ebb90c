import { Module, adaptiveAvgPool2d, scope, type Tensor } from '@ii/tensor';
import { ConvModule } from './conv-module.js';

/**
 * The pyramid pooling module of PSPNet (Zhao et al., CVPR 2017): the map is averaged over 1, 2, 3 and 6 windows a side,
 * and each pooled map goes through a 1×1 convolution. Resizing them back is left to the convolution that follows.
 */
export class PyramidPooling extends Module {
  readonly #scales: readonly number[];
  readonly #stages: readonly ConvModule[];

  constructor(inChannels: number, channels: number, scales: readonly number[]) {
    super();
    this.#scales = scales;
    this.#stages = scales.map((_, i) => this.child(`${i}.1`, new ConvModule(inChannels, channels, 1)));
  }

  /** `[N, H, W, in]` → for each scale s, `[N, s, s, channels]`. */
  forward(x: Tensor): Tensor[] {
    return scope(() => this.#stages.map((stage, i) => stage.forward(adaptiveAvgPool2d(x, this.#scales[i]!))));
  }
}

import { Module, adaptiveAvgPool2d, resizeBilinear, scope, type Tensor } from '@ii/tensor';
import { ConvModule } from './conv-module.js';

/**
 * The pyramid pooling module of PSPNet (Zhao et al., CVPR 2017): the map is averaged over 1, 2, 3 and 6 windows a side,
 * and each pooled map goes through a 1×1 convolution and is resized back.
 */
export class PyramidPooling extends Module {
  readonly #scales: readonly number[];
  readonly #stages: readonly ConvModule[];

  constructor(inChannels: number, channels: number, scales: readonly number[]) {
    super();
    this.#scales = scales;
    this.#stages = scales.map((_, i) => this.child(`${i}.1`, new ConvModule(inChannels, channels, 1)));
  }

  /** `[N, H, W, in]` → one `[N, H, W, channels]` per scale. */
  forward(x: Tensor): Tensor[] {
    const size = [x.shape[1]!, x.shape[2]!] as const;
    return scope(() =>
      this.#stages.map((stage, i) => resizeBilinear(stage.forward(adaptiveAvgPool2d(x, this.#scales[i]!)), size)),
    );
  }
}

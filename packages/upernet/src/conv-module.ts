import { BatchNorm2d, Conv2d, Module, conv2dPyramid, init, type EpilogueOptions, type Tensor } from '@ii/tensor';

/** mmcv's `ConvModule`: convolution without bias, batch norm, ReLU. Keys: `conv.weight`, `bn.*`. */
export class ConvModule extends Module {
  readonly #conv: Conv2d;
  readonly #bn: BatchNorm2d;

  /** The convolution keeps the size of the map: its padding is half the (odd) kernel. */
  constructor(inChannels: number, outChannels: number, kernelSize: number) {
    super();
    const options = { padding: (kernelSize - 1) / 2, bias: false, weightInit: init.kaimingNormalFanOut };
    this.#conv = this.child('conv', new Conv2d(inChannels, outChannels, kernelSize, options));
    this.#bn = this.child('bn', new BatchNorm2d(outChannels));
  }

  /**
   * `[N, H, W, in]` → `[N, H, W, out]`; the batch norm is folded into the convolution.
   *
   * @param options `residual`: added behind the ReLU, `[N, H, W, out]`.
   */
  forward(x: Tensor, options: Pick<EpilogueOptions, 'residual'> = {}): Tensor {
    return this.#conv.forward(x, { ...this.#epilogue(), ...options });
  }

  /**
   * The same over several maps, which together have the input channels: each is resized bilinearly to the size of the
   * first one. Neither the resized maps nor their concatenation are stored. For 3×3 modules.
   */
  forwardPyramid(maps: readonly Tensor[]): Tensor {
    return conv2dPyramid(maps, this.#conv.weight.tensor, this.#epilogue());
  }

  #epilogue(): EpilogueOptions {
    const { scale, shift } = this.#bn.folded();
    return { scale, bias: shift, activation: 'relu' };
  }
}

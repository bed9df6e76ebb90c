import {
  BatchNorm2d,
  Conv2d,
  Module,
  add,
  conv2dPyramid,
  init,
  isTracked,
  relu,
  scope,
  type EpilogueOptions,
  type Tensor,
} from '@ii/tensor';

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
   * `[N, H, W, in]` → `[N, H, W, out]`; in inference the batch norm is folded into the convolution.
   *
   * @param options `residual`: added behind the ReLU, `[N, H, W, out]`.
   */
  forward(x: Tensor, options: Pick<EpilogueOptions, 'residual'> = {}): Tensor {
    if (!this.#inSteps(x)) return this.#conv.forward(x, { ...this.#epilogue(), ...options });
    return scope(() => {
      const y = this.#normalized(this.#conv.forward(x));
      return options.residual ? add(y, options.residual) : y;
    });
  }

  /**
   * The same over several maps, which together have the input channels: each is resized bilinearly to the size of the
   * first one. Neither the resized maps nor their concatenation are stored. For 3×3 modules.
   */
  forwardPyramid(maps: readonly Tensor[]): Tensor {
    const { tensor: weight } = this.#conv.weight;
    if (!this.#inSteps(...maps)) return conv2dPyramid(maps, weight, this.#epilogue());
    return scope(() => this.#normalized(conv2dPyramid(maps, weight)));
  }

  /** The folded form stands for fixed statistics and has no gradient. */
  #inSteps(...maps: readonly Tensor[]): boolean {
    return this.training !== null || isTracked(...maps, this.#conv.weight.tensor, this.#bn.weight.tensor);
  }

  #normalized(product: Tensor): Tensor {
    const normal = this.#bn.forward(product);
    product.dispose();
    return relu(normal);
  }

  #epilogue(): EpilogueOptions {
    const { scale, shift } = this.#bn.folded();
    return { scale, bias: shift, activation: 'relu' };
  }
}

import { BatchNorm2d, Conv2d, Module, init, type Tensor } from '@ii/tensor';

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

  /** `[N, H, W, in]` → `[N, H, W, out]`; the batch norm is folded into the convolution. */
  forward(x: Tensor): Tensor {
    const { scale, shift } = this.#bn.folded();
    return this.#conv.forward(x, { scale, bias: shift, activation: 'relu' });
  }
}

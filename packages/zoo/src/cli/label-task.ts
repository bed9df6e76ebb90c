import { IIError, Random, resizeArgmax, scope, type Capture, type Tensor } from '@ii/tensor';
import type { Segmentor } from '@ii/upernet';
import type { InputSize } from '../models/model.js';

/**
 * What is timed of a model: a host array `[1, H, W, 3]` in, the label map out, by the same steps as a photo's once it is
 * resized.
 */
export class LabelTask {
  readonly #model: Segmentor;
  readonly #size: InputSize;
  readonly #pixels: Float32Array;
  #capture: Capture | null = null;

  constructor(model: Segmentor, size: InputSize) {
    this.#model = model;
    this.#size = size;
    const random = new Random(0);
    // About the values of a normalised photo.
    this.#pixels = Float32Array.from({ length: size[0] * size[1] * 3 }, () => random.uniform(-2, 2));
  }

  /** Records the work, where the device can hold the recording, and runs it once; weights are prepared meanwhile. */
  async warmUp(): Promise<void> {
    using image = this.#image();
    try {
      this.#model.network.derive();
      this.#capture = this.#model.device.capture((x) => [this.#labels(x!)], image);
    } catch (error) {
      if (!(error instanceof IIError)) throw error;
    }
    await this.run();
  }

  async run(): Promise<void> {
    using image = this.#image();
    if (this.#capture) {
      await this.#capture.run(image)[0]!.read();
    } else {
      using labels = this.#labels(image);
      await labels.read();
    }
  }

  /** Enqueues one run, not the recorded one: a recording is replayed without its kernels' names. */
  runPlainly(): void {
    using image = this.#image();
    this.#labels(image).dispose();
  }

  dispose(): void {
    this.#capture?.dispose();
  }

  #image(): Tensor {
    return this.#model.device.tensor(this.#pixels, [1, ...this.#size, 3]);
  }

  #labels(image: Tensor): Tensor {
    return scope(() => resizeArgmax(this.#model.network.forward(image), this.#size));
  }
}

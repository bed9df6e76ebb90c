import {
  DisposedError,
  IIError,
  resizeArgmax,
  scope,
  slice,
  type Capture,
  type Device,
  type LoadReport,
  type Tensor,
} from '@ii/tensor';
import {
  fromPlatform,
  inferenceTransform,
  type ImageSource,
  type InferenceInput,
  type LabelMap,
  type RgbInput,
  type Size,
} from '@ii/tensor/image';
import ndarray from 'ndarray';
import { labelsOfViews, needsViews, type InferenceModeOptions } from './inference-modes.js';
import type { UperNet } from './upernet.js';

export interface SegmentOptions extends InferenceModeOptions {
  /** Also return the decode head's output, before it is resized; for `ss` and `whole` only. Default: false. */
  readonly logits?: boolean;
}

export interface Segmentation {
  /** Class of every pixel of the photo, `[H, W]`: `Uint8` up to 256 classes, else `Uint16`. */
  readonly labels: LabelMap;
  /** Size that the network saw, `[height, width]`; of several scales the one of ratio 1, of windows their whole. */
  readonly inputSize: Size;
  /** With `logits: true`: f32 `[1, h, w, classes]`, row-major. */
  readonly logits?: { readonly data: Float32Array; readonly shape: readonly number[] };
}

/**
 * A UPerNet with its weights on a device, made by `createUperNet`.
 */
export class Segmentor {
  readonly network: UperNet;
  /** How the checkpoint and the model differed; null for untrained weights. */
  readonly loadReport: LoadReport | null;
  #device: Device;
  /** Makes a device like the first; null while the model runs on a device of the caller's. */
  #makeDevice: (() => Promise<Device>) | null;
  #recovery: Promise<void> | null = null;
  #disposed = false;
  #capturedSizes = '';
  #capture: Capture | null = null;
  #captures = true;

  /** @param makeDevice how `device` was made, if it was made for this model: it is disposed of with the model then. */
  constructor(
    network: UperNet,
    device: Device,
    loadReport: LoadReport | null,
    makeDevice: (() => Promise<Device>) | null,
  ) {
    this.network = network;
    this.#device = device;
    this.loadReport = loadReport;
    this.#makeDevice = makeDevice;
  }

  /** What the model runs on. */
  get device(): Device {
    return this.#device;
  }

  /**
   * Labels every pixel of a photo by the official protocol: the test transform (`inferenceTransform`), the whole image
   * through the network, logits resized to the network's input size and then to the photo's, argmax. The logits of the
   * photo's size are never stored. `protocol` and `mode` ask for several scales with flips, and for windows.
   *
   * @param image `Uint8 [H, W, 3]`, RGB, any size; or a picture of the browser's, see `fromPlatform` of
   *   `@ii/tensor/image`.
   * @throws ShapeError when the image is not `[H, W, 3]`, or scale, crop or stride make no sense; IIError for an unknown
   *   protocol or mode, or logits asked of several passes; the signal's reason when it is aborted.
   */
  async segment(image: ImageSource, options: SegmentOptions = {}): Promise<Segmentation> {
    const [result] = await this.segmentAll([image], options);
    return result!;
  }

  /**
   * As {@link Segmentor.segment}, for several photos: by `ss` and `whole`, those whose inputs have one size run as one
   * batch.
   */
  async segmentAll(images: readonly ImageSource[], options: SegmentOptions = {}): Promise<Segmentation[]> {
    options.signal?.throwIfAborted();
    // Before anything is waited for: a video frame may be closed meanwhile.
    const pixels = images.map((image) => fromPlatform(image));
    await this.#recovery;
    if (needsViews(options)) return this.#segmentByViews(pixels, options);
    const inputs = pixels.map((image) => inferenceTransform(image, options));
    const batches = new Map<string, number[]>();
    inputs.forEach(({ inputSize }, i) => {
      const key = inputSize.join('×');
      batches.set(key, [...(batches.get(key) ?? []), i]);
    });
    const results = new Array<Segmentation>(inputs.length);
    for (const members of batches.values()) {
      options.signal?.throwIfAborted();
      const batch = await this.#runBatch(
        members.map((i) => inputs[i]!),
        options.logits ?? false,
      );
      members.forEach((member, i) => (results[member] = batch[i]!));
    }
    return results;
  }

  /** Gives back what is kept to run again faster; the model stays usable. For a network that is trained on. */
  release(): void {
    this.#dropCapture();
  }

  /**
   * Goes on with the same weights on a new device, after the device was lost (a pending {@link Segmentor.segment} has
   * rejected with `DeviceLostError` then). Calls while a recovery runs wait for it and do nothing more.
   *
   * @param device the one to go on with, which stays the caller's. Default: one made as the first was, which is possible
   *   if `createUperNet` made that.
   * @throws IIError when there is no device to go on with; DisposedError after {@link Segmentor.dispose};
   *   DeviceUnavailableError when a new device cannot be made: the model may be recovered later then.
   */
  async recover(device?: Device): Promise<void> {
    this.#recovery ??= this.#recover(device).finally(() => (this.#recovery = null));
    await this.#recovery;
  }

  /** Gives back the model's memory, and the device if it was made with the model. Harmless when repeated. */
  dispose(): void {
    this.#disposed = true;
    this.release();
    this.network.dispose();
    if (this.#makeDevice) this.#device.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async #recover(given: Device | undefined): Promise<void> {
    this.#requireUse();
    if (!given && !this.#makeDevice) {
      throw new IIError(
        'ERR_OPTION',
        'recover: this model runs on a device of yours; make a new one with createDevice and pass it',
      );
    }
    const device = given ?? (await this.#makeDevice!());
    try {
      this.#requireUse();
      this.#dropCapture();
      await this.network.moveTo(device);
      this.#requireUse();
    } catch (error) {
      if (!given) device.dispose();
      throw error;
    }
    const before = this.#device;
    if (this.#makeDevice) before.dispose();
    if (given) this.#makeDevice = null;
    this.#device = device;
    this.#captures = true;
  }

  /** @throws DisposedError when the model was disposed of, perhaps while something was waited for. */
  #requireUse(): void {
    if (this.#disposed) throw new DisposedError('this model was disposed of; make another with createUperNet');
  }

  /** Several passes for each photo, one photo after another. */
  async #segmentByViews(images: readonly RgbInput[], options: SegmentOptions): Promise<Segmentation[]> {
    if (options.logits) {
      throw new IIError('ERR_OPTION', "logits are those of one pass: ask for them with protocol 'ss' and mode 'whole'");
    }
    const results: Segmentation[] = [];
    for (const image of images) {
      const { labels, inputSize } = await labelsOfViews(this.network, this.device, image, options);
      try {
        results.push({ labels: ndarray(toLabels(await labels.read()), labels.shape.slice(1)), inputSize });
      } finally {
        labels.dispose();
      }
    }
    return results;
  }

  /** Inputs of one size; photos of any sizes. */
  async #runBatch(inputs: readonly InferenceInput[], withLogits: boolean): Promise<Segmentation[]> {
    const { inputSize } = inputs[0]!;
    const [height, width] = inputSize;
    using x = this.device.tensor(stack(inputs), [inputs.length, height, width, 3]);
    const sizes = inputs.map(({ originalSize }) => originalSize);
    const outputs = this.#outputs(x, sizes);
    try {
      const [logits, ...labels] = outputs;
      const maps = await Promise.all(labels.map((map) => map.read()));
      const data = withLogits ? await logits!.readFloat32() : null;
      return sizes.map((size, i) => ({
        labels: ndarray(toLabels(maps[i]!), [...size]),
        inputSize,
        ...(data && { logits: { data: imageOf(data, i, sizes.length), shape: [1, ...logits!.shape.slice(1)] } }),
      }));
    } finally {
      for (const tensor of outputs) tensor.dispose();
    }
  }

  /**
   * The logits of the batch and the label map of each photo. The work for some sizes is captured and replayed until
   * other sizes come.
   */
  #outputs(x: Tensor, sizes: readonly Size[]): readonly Tensor[] {
    const inputSize = [x.shape[1]!, x.shape[2]!] as const;
    const body = (images: Tensor): readonly Tensor[] => {
      const logits = this.network.forward(images);
      return [logits, ...sizes.map((size, i) => resizeArgmax(slice(logits, [i], [i + 1]), size, inputSize))];
    };
    const key = JSON.stringify([x.shape, sizes, this.network.version]);
    if (key !== this.#capturedSizes) {
      this.#dropCapture();
      this.#capturedSizes = key;
      this.#capture = this.#tryCapture(body, x);
    }
    const capture = this.#capture;
    // The capture's own results hold only until its next run, which may be enqueued before these are read.
    return scope(() => (capture ? capture.run(x).map((tensor) => slice(tensor, [])) : body(x)));
  }

  /** A capture of the body, or null where the device cannot hold what it needs. */
  #tryCapture(body: (images: Tensor) => readonly Tensor[], x: Tensor): Capture | null {
    if (!this.#captures) return null;
    try {
      this.network.derive();
      return this.device.capture((images) => body(images!), x);
    } catch (error) {
      if (!(error instanceof IIError)) throw error;
      this.#captures = false;
      return null;
    }
  }

  #dropCapture(): void {
    this.#capture?.dispose();
    this.#capture = null;
    this.#capturedSizes = '';
  }
}

/** The inputs as one row-major array `[N, h, w, 3]`. */
function stack(inputs: readonly InferenceInput[]): Float32Array {
  const [first] = inputs;
  if (inputs.length === 1) return first!.input.data;
  const size = first!.input.data.length;
  const all = new Float32Array(size * inputs.length);
  inputs.forEach(({ input }, i) => all.set(input.data, i * size));
  return all;
}

const imageOf = (data: Float32Array, index: number, count: number): Float32Array =>
  data.subarray((index * data.length) / count, ((index + 1) * data.length) / count);

const toLabels = (labels: ArrayLike<number>): Uint8Array | Uint16Array =>
  labels instanceof Uint8Array ? labels : Uint16Array.from(labels);

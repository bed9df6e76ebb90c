/** Inference beyond one pass over the whole image: several scales with flips, and sliding windows. */
import {
  add,
  argmax,
  cast,
  concat,
  div,
  flip,
  IIError,
  pad,
  resizeBilinear,
  scope,
  ShapeError,
  slice,
  softmax,
  type Device,
  type Tensor,
} from '@ii/tensor';
import {
  inferenceTransform,
  type InferenceInput,
  type InferenceOptions,
  type RgbInput,
  type Size,
} from '@ii/tensor/image';
import { slideWindows, type Window } from './slide-windows.js';
import type { UperNet } from './upernet.js';

/** `ss`: one scale. `ms-flip`: probabilities averaged over {@link MS_FLIP_RATIOS}, each plain and mirrored. */
export type InferenceProtocol = 'ss' | 'ms-flip';

/** `whole`: the image in one pass. `slide`: windows of it, their logits averaged where they overlap. */
export type InferenceMode = 'whole' | 'slide';

/** The factors of the test scale in `ms-flip`. */
export const MS_FLIP_RATIOS: readonly number[] = [0.5, 0.75, 1, 1.25, 1.5, 1.75];

/** How a label map is made of passes through the network. */
export interface InferenceModeOptions extends InferenceOptions {
  /** Default `ss`. */
  readonly protocol?: InferenceProtocol;
  /** Default `whole`. */
  readonly mode?: InferenceMode;
  /** `[height, width]` of a window of `slide`, in pixels of the network's input. Default `[512, 512]`. */
  readonly crop?: Size;
  /** From one window to the next, at most `crop`. Default: two thirds of `crop`, rounded down. */
  readonly stride?: Size;
  /** Checked before every view. */
  readonly signal?: AbortSignal | undefined;
}

/** Most bytes of a map of the input's size that is held for the resize to the photo's. */
const INPUT_MAP_BYTES = 2 ** 26;

/**
 * Whether the options ask for more than one pass over the whole image.
 *
 * @throws IIError for an unknown protocol or mode.
 */
export function needsViews({ protocol = 'ss', mode = 'whole' }: InferenceModeOptions): boolean {
  if (protocol !== 'ss' && protocol !== 'ms-flip') {
    throw new IIError('ERR_OPTION', `protocol must be 'ss' or 'ms-flip', got '${String(protocol)}'`);
  }
  if (mode !== 'whole' && mode !== 'slide') {
    throw new IIError('ERR_OPTION', `mode must be 'whole' or 'slide', got '${String(mode)}'`);
  }
  return protocol !== 'ss' || mode !== 'whole';
}

/**
 * Labels of a photo by mmsegmentation's `aug_test` and `slide_inference`. Of the maps of the photo's size with all
 * classes, at most three are held at a time, however many views there are.
 *
 * @param image `Uint8 [H, W, 3]`, RGB.
 * @returns `labels` `[1, H, W]`, u8 up to 256 classes, else i32: the caller disposes of it; and the size of the
 *   network's input at the test scale itself.
 * @throws ShapeError for an image, scale, crop or stride that makes no sense; the signal's reason when it is aborted.
 */
export async function labelsOfViews(
  network: UperNet,
  device: Device,
  image: RgbInput,
  options: InferenceModeOptions,
): Promise<{ readonly labels: Tensor; readonly inputSize: Size }> {
  const { protocol = 'ss', scale = [2048, 512], signal } = options;
  const multiple = protocol === 'ms-flip';
  let best: Tensor | null = null;
  let inputSize: Size = [0, 0];
  try {
    for (const ratio of multiple ? MS_FLIP_RATIOS : [1]) {
      const view = inferenceTransform(image, { ...options, scale: scaled(scale, ratio) });
      if (ratio === 1) inputSize = view.inputSize;
      for (const mirrored of multiple ? [false, true] : [false]) {
        signal?.throwIfAborted();
        const before: Tensor | null = best;
        best = scope(() => {
          const logits = logitsOfView(network, device, view, mirrored, options);
          if (!multiple) return logits;
          const probabilities = softmax(logits);
          logits.dispose();
          return before ? add(before, probabilities) : probabilities;
        });
        before?.dispose();
        // The next view begins when this one's memory is free.
        await device.finish();
      }
    }
    const sum = best!;
    return { labels: scope(() => labelsOf(sum)), inputSize };
  } finally {
    best?.dispose();
  }
}

/** Logits of the photo's size, `[1, H, W, classes]`, from one view of it. */
function logitsOfView(
  network: UperNet,
  device: Device,
  { input, inputSize, originalSize }: InferenceInput,
  mirrored: boolean,
  options: InferenceModeOptions,
): Tensor {
  return scope(() => {
    const x = device.tensor(input.data, [1, ...inputSize, 3]);
    const maps = runWindows(network, mirrored ? flip(x, 2) : x, windowsOf(inputSize, options));
    return resizeToPhoto(mirrored ? unmirror(maps, inputSize) : maps, inputSize, originalSize);
  });
}

/** The scale of a view, in whole pixels as `MultiScaleFlipAug` rounds them. */
function scaled([a, b]: readonly [number, number], ratio: number): [number, number] {
  const limits: [number, number] = [Math.trunc(a * ratio), Math.trunc(b * ratio)];
  if (limits.some((limit) => limit < 1)) {
    throw new ShapeError(`ms-flip: the scale ${a}×${b} leaves no pixel at the ratio ${ratio}; give a larger one`);
  }
  return limits;
}

function windowsOf(size: Size, { mode = 'whole', crop = [512, 512], stride }: InferenceModeOptions): Window[] {
  if (mode === 'whole') return [{ top: 0, left: 0, height: size[0], width: size[1] }];
  const twoThirds = (side: number): number => Math.max(Math.floor((side * 2) / 3), 1);
  return slideWindows(size, crop, stride ?? [twoThirds(crop[0]), twoThirds(crop[1])]);
}

/** What the network says of a window. */
interface WindowLogits {
  readonly window: Window;
  /** As the decode head gives them, `[1, h, w, classes]`. */
  readonly logits: Tensor;
}

function runWindows(network: UperNet, x: Tensor, windows: readonly Window[]): WindowLogits[] {
  return windows.map((window) => {
    const { top, left, height, width } = window;
    const whole = height === x.shape[1] && width === x.shape[2];
    const logits = scope(() => network.forward(whole ? x : slice(x, [0, top, left], [1, top + height, left + width])));
    return { window, logits };
  });
}

/**
 * The maps and places of a mirrored input, mirrored back. Bilinear resizes treat left and right alike, so that this,
 * where the maps are small, equals mirroring the probabilities of the photo.
 */
function unmirror(maps: readonly WindowLogits[], [, inputWidth]: Size): WindowLogits[] {
  return maps.map(({ window, logits }) => {
    const left = inputWidth - window.left - window.width;
    const mirrored = flip(logits, 2);
    logits.dispose();
    return { window: { ...window, left }, logits: mirrored };
  });
}

/**
 * Logits `[1, H, W, classes]` of the photo's size: each window's resized to its own size, averaged where windows
 * overlap, the whole resized to the photo. Classes take turns, so that no map of the input's size has them all.
 */
function resizeToPhoto(maps: readonly WindowLogits[], inputSize: Size, photoSize: Size): Tensor {
  const classes = maps[0]!.logits.shape[3]!;
  const fitting = Math.floor(INPUT_MAP_BYTES / (4 * inputSize[0] * inputSize[1]));
  // Multiples of 4 classes are what vector units take.
  const step = fitting >= classes ? classes : Math.max(fitting - (fitting % 4), 4);
  const counts = maps.length > 1 ? overlaps(maps, inputSize) : null;
  const parts: Tensor[] = [];
  for (let from = 0; from < classes; from += step) {
    const to = Math.min(from + step, classes);
    parts.push(
      scope(() => {
        const map = joinWindows(maps, inputSize, from, to);
        return resized(counts ? div(map, counts) : map, photoSize);
      }),
    );
  }
  return parts.length === 1 ? parts[0]! : concat(parts, 3);
}

/** The sum of the windows' logits of the classes from `from` up to `to`, `[1, height, width, to − from]`. */
function joinWindows(maps: readonly WindowLogits[], [height, width]: Size, from: number, to: number): Tensor {
  let sum: Tensor | null = null;
  for (const { window, logits } of maps) {
    const before: Tensor | null = sum;
    sum = scope(() => {
      const all = from === 0 && to === logits.shape[3];
      const some = all ? logits : slice(logits, [0, 0, 0, from], [1, undefined, undefined, to]);
      const map = resized(some, [window.height, window.width]);
      if (maps.length === 1) return map;
      const bottom = height - window.top - window.height;
      const right = width - window.left - window.width;
      const placed = pad(map, [
        [0, 0],
        [window.top, bottom],
        [window.left, right],
        [0, 0],
      ]);
      return before ? add(before, placed) : placed;
    });
    before?.dispose();
  }
  return sum!;
}

/** How many windows each pixel is in, `[1, height, width, 1]`. */
function overlaps(maps: readonly WindowLogits[], [height, width]: Size): Tensor {
  const counts = new Float32Array(height * width);
  for (const { window } of maps) {
    for (let y = window.top; y < window.top + window.height; y++) {
      const row = y * width + window.left;
      for (let i = row; i < row + window.width; i++) counts[i]!++;
    }
  }
  return maps[0]!.logits.device.tensor(counts, [1, height, width, 1]);
}

/** A map in another size; the map itself if it has the size. */
function resized(x: Tensor, size: Size): Tensor {
  return x.shape[1] === size[0] && x.shape[2] === size[1] ? x : resizeBilinear(x, size);
}

/** The class with the largest value; a sum has it where the mean does. */
function labelsOf(x: Tensor): Tensor {
  const labels = argmax(x);
  return x.shape[3]! <= 256 ? cast(labels, 'u8') : labels;
}

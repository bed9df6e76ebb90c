import { IIError, ShapeError } from '../errors.js';
import {
  IGNORE_INDEX,
  labelValues,
  rgbBytes,
  rgbImage,
  type LabelMap,
  type RgbImage,
  type RgbInput,
} from './host-image.js';

/** A colour, 0 to 255 per channel. */
export type Rgb = readonly [red: number, green: number, blue: number];

/** One colour per class id. */
export type Palette = readonly Rgb[];

/** A label map holds an id that the palette or the list of names does not have. */
export class LabelRangeError extends IIError {
  constructor(
    /** The id found. */
    readonly id: number,
    /** Where it was found first, in pixels. */
    readonly y: number,
    readonly x: number,
    /** How many classes there are. */
    readonly classes: number,
    caller: string,
    ignoreIndex: number,
  ) {
    super(
      'ERR_LABEL_RANGE',
      `${caller}: label ${id} at row ${y}, column ${x} has no class: ids run from 0 to ${classes - 1} (and ${ignoreIndex} for unlabelled); ` +
        `if the map counts from 1 with 0 for unlabelled, reduce its labels first`,
    );
  }
}

/** Options of {@link overlay}. */
export interface OverlayOptions {
  /** Share of the class colour in the mix, 0 (photo only) to 1 (colours only). Default 0.5. */
  readonly opacity?: number;
  /** Pixels with this id keep the photo as it is. Default 255. */
  readonly ignoreIndex?: number;
}

/**
 * Paints class colours over a photo: `round(photo · (1 − opacity) + colour · opacity)`.
 *
 * @param image `[H, W, 3]`, any strides.
 * @param labels `[H, W]` class ids, of the same size as the image.
 * @param palette The colour of every class.
 * @returns A new image `[H, W, 3]`.
 * @throws ShapeError if the sizes differ or the opacity is outside 0 to 1.
 * @throws LabelRangeError if an id other than `ignoreIndex` has no colour.
 */
export function overlay(image: RgbInput, labels: LabelMap, palette: Palette, options: OverlayOptions = {}): RgbImage {
  const { opacity = 0.5, ignoreIndex = IGNORE_INDEX } = options;
  if (!(opacity >= 0 && opacity <= 1)) {
    throw new ShapeError(`overlay: expected an opacity from 0 to 1, got ${opacity}`);
  }
  const source = rgbBytes(image, 'overlay');
  const ids = labelValues(labels, 'overlay');
  const [height, width] = image.shape as [number, number, number];
  if (labels.shape[0] !== height || labels.shape[1] !== width) {
    throw new ShapeError(
      `overlay: the image is ${height} × ${width} and the label map ${labels.shape.join(' × ')}; resize one to the other (resizeNearest for labels)`,
    );
  }
  const kept = Float64Array.from({ length: 256 }, (_, level) => level * (1 - opacity) + 0.5);
  const added = Float64Array.from(palette.flat(), (level) => level * opacity);
  const target = new Uint8Array(source.length);
  for (let pixel = 0, i = 0; pixel < ids.length; pixel++, i += 3) {
    const id = ids[pixel]!;
    if (id === ignoreIndex) {
      target[i] = source[i]!;
      target[i + 1] = source[i + 1]!;
      target[i + 2] = source[i + 2]!;
      continue;
    }
    if (id >= palette.length) {
      throw new LabelRangeError(id, Math.floor(pixel / width), pixel % width, palette.length, 'overlay', ignoreIndex);
    }
    const colour = id * 3;
    target[i] = kept[source[i]!]! + added[colour]!;
    target[i + 1] = kept[source[i + 1]!]! + added[colour + 1]!;
    target[i + 2] = kept[source[i + 2]!]! + added[colour + 2]!;
  }
  return rgbImage([height, width], target);
}

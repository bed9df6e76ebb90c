import { IIError, ShapeError } from '../errors.js';
import { IGNORE_INDEX, labelValues, type LabelMap } from './host-image.js';
import { LabelRangeError, type OverlayOptions, type Palette } from './overlay.js';
import { makeCanvas } from './platform.js';

/**
 * The colours of a label map, as RGBA bytes for an `ImageData` of its size; unlabelled pixels are transparent.
 *
 * @param labels `[H, W]` class ids.
 * @param options.opacity alpha of the colours, 0 to 1. Default 0.5.
 * @throws ShapeError when the opacity is outside 0 to 1.
 * @throws LabelRangeError when an id other than `ignoreIndex` has no colour.
 */
export function labelColours(
  labels: LabelMap,
  palette: Palette,
  { opacity = 0.5, ignoreIndex = IGNORE_INDEX }: OverlayOptions = {},
): Uint8ClampedArray<ArrayBuffer> {
  if (!(opacity >= 0 && opacity <= 1)) {
    throw new ShapeError(`labelColours: expected an opacity from 0 to 1, got ${opacity}`);
  }
  const ids = labelValues(labels, 'labelColours');
  const rgba = new Uint8ClampedArray(4 * ids.length);
  const alpha = Math.round(255 * opacity);
  for (let pixel = 0, i = 0; pixel < ids.length; pixel++, i += 4) {
    const id = ids[pixel]!;
    if (id === ignoreIndex) continue;
    const colour = palette[id];
    if (!colour) {
      const width = labels.shape[1]!;
      const [y, x] = [Math.floor(pixel / width), pixel % width];
      throw new LabelRangeError(id, y, x, palette.length, 'labelColours', ignoreIndex);
    }
    rgba[i] = colour[0];
    rgba[i + 1] = colour[1];
    rgba[i + 2] = colour[2];
    rgba[i + 3] = alpha;
  }
  return rgba;
}

/**
 * Paints the colours of a label map over what a canvas shows, stretched to its size without blurring class borders.
 *
 * @param canvas with a 2D context, or none yet.
 * @param labels `[H, W]` class ids.
 * @throws as {@link labelColours}; IIError when the canvas has a context of another kind.
 */
export function drawOverlay(
  canvas: HTMLCanvasElement | OffscreenCanvas,
  labels: LabelMap,
  palette: Palette,
  options: OverlayOptions = {},
): void {
  const [height = 0, width = 0] = labels.shape;
  const colours = new ImageData(labelColours(labels, palette, options), width, height);
  const layer = makeCanvas(width, height);
  const over = contextOf(layer);
  over.putImageData(colours, 0, 0);
  const context = contextOf(canvas);
  context.save();
  context.resetTransform();
  context.imageSmoothingEnabled = false;
  context.globalCompositeOperation = 'source-over';
  context.drawImage(layer, 0, 0, canvas.width, canvas.height);
  context.restore();
}

function contextOf(
  canvas: HTMLCanvasElement | OffscreenCanvas,
): CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D {
  const context = canvas.getContext('2d') as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null;
  if (context) return context;
  throw new IIError('ERR_PLATFORM', 'drawOverlay: the canvas has a context that is not 2d; draw on another canvas');
}

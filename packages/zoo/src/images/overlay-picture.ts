import { legend, overlay, type LabelMap, type OverlayOptions, type Palette, type RgbInput } from '@ii/tensor/image';
import { footerPanel, legendPanel, THEMES } from './legend-panel.js';
import { loadSharp } from './sharp.js';

/** What an overlay picture shows. */
export interface OverlayPictureOptions extends OverlayOptions {
  /** Photo `Uint8 [H, W, 3]`, any strides. */
  readonly image: RgbInput;
  /** Class ids `[H, W]`, of the photo's size. */
  readonly labels: LabelMap;
  /** Name of every class. */
  readonly names: readonly string[];
  /** Colour of every class. */
  readonly palette: Palette;
  /** A quiet line at the bottom, for example the model's name; long text wraps. */
  readonly caption?: string;
  /** A highlighted line above the caption, for example that the weights are random. */
  readonly warning?: string;
  /** Classes beyond this number are summed up as "and n more". Default 30. */
  readonly maxEntries?: number;
  /** Colours of the panel. Default `light`. */
  readonly theme?: keyof typeof THEMES;
}

/** Photos whose long side is shorter than this are enlarged by a whole factor, pixel by pixel. */
const MIN_LONG_SIDE = 320;

/** Photos wider than this many times their height have the legend below. */
const WIDE = 2;

/** Text grows with the photo, so that it reads the same when the picture is scaled to a page. */
function textSize(width: number, height: number): number {
  return Math.min(Math.max(Math.round(Math.sqrt(width * height) / 38), 13), 160);
}

/**
 * The picture a person looks at: the photo with class colours over it, and a legend with the name, colour and share of
 * every class, beside it or, for panoramas, below. Text is drawn with built-in strokes: no font needs to be installed.
 *
 * @returns The bytes of an 8-bit RGB PNG. The photo is at the top left, with the exact pixels of `overlay`.
 * @throws ShapeError if the sizes of photo and labels differ, LabelRangeError for an id without a class.
 */
export async function renderOverlayPicture(options: OverlayPictureOptions): Promise<Uint8Array> {
  const { image, labels, names, palette, maxEntries = 30 } = options;
  const theme = THEMES[options.theme ?? 'light'];
  const painted = overlay(image, labels, palette, options);
  const content = legend(labels, names, palette, options);

  const [photoHeight, photoWidth] = painted.shape as [number, number, number];
  const factor = Math.max(Math.floor(MIN_LONG_SIDE / Math.max(photoHeight, photoWidth)), 1);
  const height = photoHeight * factor;
  const width = photoWidth * factor;
  const size = textSize(width, height);
  const below = width > WIDE * height;
  const panel = legendPanel(content, below ? { below: width } : { beside: height }, size, maxEntries, theme);
  const canvasWidth = below ? panel.width : width + panel.width;
  const bodyHeight = below ? height + panel.height : panel.height;
  const footer = footerPanel(canvasWidth, size, options, theme);
  const canvasHeight = bodyHeight + (footer?.height ?? 0);

  const sharp = await loadSharp();
  const [r, g, b] = theme.background;
  const photo = await sharp(painted.data, {
    raw: { width: photoWidth, height: photoHeight, channels: 3 },
    limitInputPixels: false,
  })
    .resize(width, height, { kernel: 'nearest' })
    .extend({ right: canvasWidth - width, bottom: canvasHeight - height, background: { r, g, b } })
    .raw()
    .toBuffer();
  const drawings = [
    { input: Buffer.from(panel.svg), left: below ? 0 : width, top: below ? height : 0 },
    ...(footer ? [{ input: Buffer.from(footer.svg), left: 0, top: bodyHeight }] : []),
  ];
  return sharp(photo, { raw: { width: canvasWidth, height: canvasHeight, channels: 3 }, limitInputPixels: false })
    .composite(drawings.map((drawing) => ({ ...drawing, limitInputPixels: false })))
    .removeAlpha()
    .png()
    .toBuffer();
}

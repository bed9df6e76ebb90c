/** The pictures of the report: labels painted over photos. */
import { overlay, type LabelMap, type Palette, type RgbImage } from '@ii/tensor/image';
import { loadSharp } from '../images/sharp.js';

/** Long side in the report, in pixels. */
const LONG_SIDE = 520;

/** How much of a painted pixel is the class's colour. */
const OPACITY = 0.6;

/** An id that no prediction has: all of it is painted. */
const NO_IGNORED_ID = 65535;

/** A photo with labels over it, as a PNG in a `data:` address. */
export async function overlayAddress(
  image: RgbImage,
  labels: LabelMap,
  palette: Palette,
  { ignore }: { readonly ignore: boolean },
): Promise<string> {
  const painted = overlay(image, labels, palette, { opacity: OPACITY, ...(!ignore && { ignoreIndex: NO_IGNORED_ID }) });
  const [height, width] = painted.shape as [number, number, number];
  const sharp = await loadSharp();
  const png = await sharp(painted.data, { raw: { width, height, channels: 3 }, limitInputPixels: false })
    .resize({ ...(width >= height ? { width: LONG_SIDE } : { height: LONG_SIDE }), withoutEnlargement: true })
    // 256 colours: a fifth of the size, and no difference that one sees beside flat class colours.
    .png({ palette: true, compressionLevel: 9 })
    .toBuffer();
  return `data:image/png;base64,${png.toString('base64')}`;
}

/** A class as it occurs in one image. */
export interface ClassInImage {
  readonly id: number;
  /** Of the labelled pixels, 0 to 1. */
  readonly truth: number;
  /** Of the labelled pixels, 0 to 1. */
  readonly predicted: number;
}

/** The classes that most of an image's labelled pixels have, in truth or as predicted; the largest first. */
export function classesInImage(
  truth: LabelMap,
  prediction: LabelMap,
  numClasses: number,
  count: number,
): ClassInImage[] {
  const [inTruth, inPrediction] = [new Float64Array(numClasses), new Float64Array(numClasses)];
  const [height, width] = truth.shape as [number, number];
  let labelled = 0;
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const id = truth.get(y, x);
      if (id >= numClasses) continue;
      labelled++;
      inTruth[id]!++;
      inPrediction[prediction.get(y, x)]!++;
    }
  }
  return Array.from(inTruth, (pixels, id) => ({
    ...{ id, truth: pixels / labelled, predicted: inPrediction[id]! / labelled },
  }))
    .filter((entry) => entry.truth + entry.predicted > 0)
    .sort((a, b) => Math.max(b.truth, b.predicted) - Math.max(a.truth, a.predicted) || a.id - b.id)
    .slice(0, count);
}

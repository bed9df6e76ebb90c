import { ShapeError } from '../errors.js';
import { IGNORE_INDEX, labelValues, type LabelMap } from './host-image.js';
import { LabelRangeError, type Palette, type Rgb } from './overlay.js';

/** One class that a label map contains. */
export interface LegendEntry {
  readonly id: number;
  readonly name: string;
  readonly colour: Rgb;
  /** Pixels of this class. */
  readonly pixels: number;
  /** `pixels` divided by all pixels of the map, unlabelled ones included: 0 to 1. */
  readonly share: number;
}

/** What a label map contains. */
export interface Legend {
  /** The classes present, the largest share first; equal shares in the order of their ids. */
  readonly entries: readonly LegendEntry[];
  /** Share of pixels with the ignored id, 0 to 1. The entries' shares and this one add up to 1. */
  readonly unlabelled: number;
}

/**
 * Counts the classes of a label map.
 *
 * @param labels `[H, W]` class ids, any strides.
 * @param names The name of every class; as many as `palette` has colours.
 * @param options.ignoreIndex The id of unlabelled pixels. Default 255.
 * @throws ShapeError if the map is not `[H, W]`, or names and palette differ in length.
 * @throws LabelRangeError if an id other than `ignoreIndex` has no class.
 */
export function legend(
  labels: LabelMap,
  names: readonly string[],
  palette: Palette,
  options: { readonly ignoreIndex?: number } = {},
): Legend {
  const { ignoreIndex = IGNORE_INDEX } = options;
  if (names.length !== palette.length) {
    throw new ShapeError(`legend: got ${names.length} names and ${palette.length} colours; every class needs both`);
  }
  const ids = labelValues(labels, 'legend');
  const counts = new Float64Array(ids instanceof Uint8Array ? 256 : 65536);
  for (const id of ids) counts[id]! += 1;
  const total = ids.length;
  const entries: LegendEntry[] = [];
  for (const [id, pixels] of counts.entries()) {
    if (pixels === 0 || id === ignoreIndex) continue;
    const name = names[id];
    const colour = palette[id];
    if (name === undefined || colour === undefined) {
      const first = ids.indexOf(id);
      const width = labels.shape[1]!;
      throw new LabelRangeError(id, Math.floor(first / width), first % width, names.length, 'legend', ignoreIndex);
    }
    entries.push({ id, name, colour, pixels, share: pixels / total });
  }
  entries.sort((a, b) => b.pixels - a.pixels || a.id - b.id);
  return { entries, unlabelled: (counts[ignoreIndex] ?? 0) / total };
}

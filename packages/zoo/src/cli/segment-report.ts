import { describeWeights, type WeightsOrigin } from './choose-model.js';
import type { Output } from './output.js';
import type { ImageOutputs } from './output-paths.js';
import { alignColumns, showDuration, showSize } from './table.js';

/** What `ii segment --json` says of one photo. */
export interface ImageReport {
  readonly image: string;
  /** Of the photo, `[height, width]`. */
  readonly size: readonly number[];
  /** Of the network's input, `[height, width]`. */
  readonly inputSize: readonly number[];
  /** The zoo's name of the model, or null. */
  readonly model: string | null;
  readonly title: string;
  readonly weights: WeightsOrigin;
  /** That the labels mean nothing or little, where they do; else null. */
  readonly warning: string | null;
  readonly device: string;
  /** Which device was chosen and why. */
  readonly selection: string;
  /** Classes in the photo, the largest first; `share` of its pixels from 0 to 1. */
  readonly classes: readonly {
    readonly id: number;
    readonly name: string;
    readonly share: number;
    readonly pixels: number;
  }[];
  readonly outputs: ImageOutputs;
  readonly timings: { readonly loadMs: number; readonly decodeMs: number; readonly inferenceMs: number };
}

/** Classes that the text lists. */
const LISTED = 12;

/** The same for a person. */
export function showSegmentation(report: ImageReport, output: Output): string {
  const { image, size, inputSize, title, weights, selection, classes, outputs, timings } = report;
  const facts = [
    ['model', `${title}, weights: ${describeWeights(weights)}`],
    ['device', selection],
    ['input', `${showSize(inputSize)} (photo ${showSize(size)}, height × width)`],
    [
      'time',
      `${showDuration(timings.inferenceMs)} (loading ${showDuration(timings.loadMs)}, decoding ${showDuration(timings.decodeMs)})`,
    ],
  ];
  const shares = classes.slice(0, LISTED).map(({ name, share }) => [`${(share * 100).toFixed(1)} %`, name]);
  const rest = classes.slice(LISTED);
  if (rest.length > 0) {
    const share = rest.reduce((sum, entry) => sum + entry.share, 0);
    shares.push([`${(share * 100).toFixed(1)} %`, `(${rest.length} more classes)`]);
  }
  const files = Object.entries(outputs).filter(([, path]) => path !== null);
  const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);
  return [
    output.style('bold', image),
    ...indent(alignColumns(facts, 'll')),
    ...indent(alignColumns(shares, 'rl')),
    ...indent(
      alignColumns(
        files.map(([name, path]) => [name, String(path)]),
        'll',
      ),
    ),
  ].join('\n');
}

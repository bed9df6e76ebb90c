/** What the page and its worker say to each other. */
import type { DeviceName } from '@ii/tensor';
import type { Palette } from '@ii/tensor/image';

export type DeviceChoice = Exclude<DeviceName, 'reference'> | 'auto';

/** null: the model that the page comes with. */
export type ModelChoice = File | null;

export type Request =
  | { readonly kind: 'load'; readonly model: ModelChoice; readonly device: DeviceChoice }
  | { readonly kind: 'segment'; readonly picture: Blob | ImageBitmap };

/** A model that is ready. */
export interface LoadedModel {
  readonly kind: 'loaded';
  readonly title: string;
  readonly params: number;
  /** Limits of the long and the short side of a photo, in pixels. */
  readonly testScale: readonly [number, number];
  /** What a person must know about it. */
  readonly note: string | null;
  readonly names: readonly string[];
  readonly palette: Palette;
  readonly device: string;
  /** Which device it is and why, in words. */
  readonly selection: string;
  readonly milliseconds: number;
}

/** A picture with a class for every pixel. */
export interface SegmentedPicture {
  readonly kind: 'segmented';
  /** Row-major. */
  readonly labels: Uint8Array | Uint16Array;
  readonly width: number;
  readonly height: number;
  /** `[height, width]` that the network saw. */
  readonly inputSize: readonly [number, number];
  readonly milliseconds: number;
  /** Whether it was the first of its size: shaders were compiled, weights packed, the work recorded. */
  readonly first: boolean;
  /** The new device, if the GPU was lost on the way. */
  readonly recovered: Pick<LoadedModel, 'device' | 'selection'> | null;
}

export type Answer =
  | LoadedModel
  | SegmentedPicture
  | { readonly kind: 'progress'; readonly loaded: number; readonly total: number }
  | { readonly kind: 'failed'; readonly message: string };

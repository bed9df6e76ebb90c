import type { UperNetConfig } from '@ii/upernet';
import type { OfficialTraining } from './training-recipe.js';

/** `[height, width]` in pixels. */
export type InputSize = readonly [height: number, width: number];

/** Limits of the long and the short side of a photo after the resize that keeps its ratio, in pixels. */
export type TestScale = readonly [long: number, short: number];

/** What the authors published of a model. */
export interface PublishedResults {
  /** Parameters as the official table prints them, for example `59M`. */
  readonly params: string;
  /** Multiply-adds as the official table prints them, for example `944G`. */
  readonly flops: string;
  /** Mean IoU on the ADE20K validation set in percent: at one scale, and over six scales with flips. */
  readonly mIoU: { readonly ss: number; readonly ms: number };
  /** Seconds per training iteration on A100 GPUs. */
  readonly trainSpeed: number;
  /** Duration of the training on A100 GPUs, as printed; `(2n)` is two nodes. */
  readonly trainTime: string;
}

/** Addresses of a model's official files. */
export interface ModelFiles {
  readonly config: string;
  readonly checkpoint: string;
  readonly log: string;
}

/** One model of the zoo, as plain data. */
export interface ZooModel {
  readonly name: string;
  /** Other names that are accepted for it, in lower case. */
  readonly aliases: readonly string[];
  readonly title: string;
  readonly config: UperNetConfig;
  /** Size of the training crops. */
  readonly resolution: InputSize;
  /** Scale of the official test protocol. */
  readonly testScale: TestScale;
  /** Input size that the FLOPs of the official table are for. */
  readonly flopsInput: InputSize;
  /** null for a model that has no published results. */
  readonly published: PublishedResults | null;
  /** How it was trained; null for a model without published training. */
  readonly training: OfficialTraining | null;
  /** null for a model without official files. */
  readonly files: ModelFiles | null;
  /** What a person must know before using it. */
  readonly note?: string;
}

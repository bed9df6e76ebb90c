import { IIError, ShapeError } from '@ii/tensor';

/** An InternImage as plain data. The names are those of the official configuration, in camel case. */
export interface InternImageConfig {
  /** Channels of the first stage; each later stage has twice as many. */
  readonly channels: number;
  /** Blocks per stage. */
  readonly depths: readonly number[];
  /** DCNv3 groups per stage. */
  readonly groups: readonly number[];
  /** Hidden channels of the MLP over the stage's channels. Default: 4. */
  readonly mlpRatio?: number;
  /** Share of residual branches dropped in training, rising linearly from 0 to this at the last block. Default: 0. */
  readonly dropPathRate?: number;
  /** Starting value of the learnt scale of each residual branch; null: no scale. Default: null. */
  readonly layerScale?: number | null;
  /** Multiplies the DCNv3 grid and offsets. Default: 1. */
  readonly offsetScale?: number;
  /** Normalise behind each branch instead of before it. Default: false. */
  readonly postNorm?: boolean;
  /** Side of DCNv3's depthwise kernel; null: 3. Default: null. */
  readonly dwKernelSize?: number | null;
  /** Normalise both before and behind each branch; ignored with `layerScale`, as in the original. Default: false. */
  readonly resPostNorm?: boolean;
  /** Blocks of the third stage that a further norm follows; null: none. Default: null. */
  readonly level2PostNormBlockIds?: readonly number[] | null;
  /** Blend DCNv3's result with its unsampled input. Default: false. */
  readonly centerFeatureScale?: boolean;
  /** Stages whose maps are returned, in order. Default: all. */
  readonly outIndices?: readonly number[];
  /** Recompute each block's activations in the backward pass instead of keeping them. Default: false. */
  readonly withCp?: boolean;
}

export type ResolvedInternImageConfig = Required<InternImageConfig>;

/**
 * Fills in defaults and checks the values.
 *
 * @throws ShapeError when sizes do not fit each other, IIError for a value out of range.
 */
export function resolveInternImageConfig(config: InternImageConfig): ResolvedInternImageConfig {
  const resolved: ResolvedInternImageConfig = {
    mlpRatio: 4,
    dropPathRate: 0,
    layerScale: null,
    offsetScale: 1,
    postNorm: false,
    dwKernelSize: null,
    resPostNorm: false,
    level2PostNormBlockIds: null,
    centerFeatureScale: false,
    outIndices: config.depths.map((_, i) => i),
    withCp: false,
    ...config,
  };
  const { channels, depths, groups, outIndices, dwKernelSize } = resolved;
  if (!isCount(channels) || channels % 2 !== 0) {
    throw new IIError('ERR_CONFIG', `backbone.channels: expected an even positive integer, got ${channels}`);
  }
  if (depths.length === 0 || !depths.every(isCount)) {
    throw new IIError('ERR_CONFIG', `backbone.depths: expected positive integers, got [${depths.join(', ')}]`);
  }
  if (groups.length !== depths.length) {
    throw new IIError(
      'ERR_CONFIG',
      `backbone.groups: expected ${depths.length} entries (one per stage), got ${groups.length}`,
    );
  }
  groups.forEach((count, i) => {
    if (!isCount(count) || (channels * 2 ** i) % count !== 0) {
      throw new ShapeError(
        `backbone.groups: stage ${i} has ${channels * 2 ** i} channels, which ${count} groups do not divide`,
      );
    }
  });
  if (!outIndices.every((i) => Number.isInteger(i) && i >= 0 && i < depths.length)) {
    throw new IIError(
      'ERR_CONFIG',
      `backbone.outIndices: expected stages 0 to ${depths.length - 1}, got [${outIndices.join(', ')}]`,
    );
  }
  if (dwKernelSize !== null && (!isCount(dwKernelSize) || dwKernelSize % 2 === 0)) {
    throw new IIError(
      'ERR_CONFIG',
      `backbone.dwKernelSize: expected an odd positive integer or null, got ${dwKernelSize}`,
    );
  }
  return resolved;
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value > 0;

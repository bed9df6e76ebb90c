import type { InternImageConfig } from '@ii/backbone';
import { IIError } from '@ii/tensor';

/** The UPerNet decode head. */
export interface UPerHeadConfig {
  /** Channels of every map inside the head. Default: 512. */
  readonly channels?: number;
  /** Sides of the pooled maps of the pyramid pooling module. Default: `[1, 2, 3, 6]`. */
  readonly poolScales?: readonly number[];
  /** Share of channels dropped before the classifier in training. Default: 0.1. */
  readonly dropoutRatio?: number;
}

/** The auxiliary FCN head, used in training. */
export interface FCNHeadConfig {
  /** Backbone map it reads. Default: 2. */
  readonly inIndex?: number;
  /** Default: 256. */
  readonly channels?: number;
  /** Convolutions before the classifier. Default: 1. */
  readonly numConvs?: number;
  /** Default: 0.4. */
  readonly lossWeight?: number;
  /** Default: 0.1. */
  readonly dropoutRatio?: number;
}

/** A whole segmentation model as plain data: what the registry holds and `--config` files contain. */
export interface UperNetConfig {
  readonly backbone: InternImageConfig;
  readonly decodeHead?: UPerHeadConfig;
  /** null: no auxiliary head. */
  readonly auxiliaryHead?: FCNHeadConfig | null;
  /** Default: 150, the classes of ADE20K. */
  readonly numClasses?: number;
}

export interface ResolvedUperNetConfig {
  readonly backbone: InternImageConfig;
  readonly decodeHead: Required<UPerHeadConfig>;
  readonly auxiliaryHead: Required<FCNHeadConfig> | null;
  readonly numClasses: number;
}

/**
 * Fills in defaults and checks the values of the heads; the backbone checks its own.
 *
 * @throws IIError for a value out of range.
 */
export function resolveUperNetConfig(config: UperNetConfig): ResolvedUperNetConfig {
  const decodeHead = { channels: 512, poolScales: [1, 2, 3, 6], dropoutRatio: 0.1, ...config.decodeHead };
  const auxiliaryHead =
    config.auxiliaryHead === null
      ? null
      : { inIndex: 2, channels: 256, numConvs: 1, lossWeight: 0.4, dropoutRatio: 0.1, ...config.auxiliaryHead };
  const numClasses = config.numClasses ?? 150;
  checkCount('numClasses', numClasses);
  checkCount('decodeHead.channels', decodeHead.channels);
  for (const scale of decodeHead.poolScales) checkCount('decodeHead.poolScales', scale);
  if (auxiliaryHead) {
    checkCount('auxiliaryHead.channels', auxiliaryHead.channels);
    checkCount('auxiliaryHead.numConvs', auxiliaryHead.numConvs);
    const stages = config.backbone.outIndices?.length ?? config.backbone.depths.length;
    if (!(auxiliaryHead.inIndex >= 0 && auxiliaryHead.inIndex < stages)) {
      throw new IIError(
        'ERR_CONFIG',
        `auxiliaryHead.inIndex: expected a backbone map from 0 to ${stages - 1}, got ${auxiliaryHead.inIndex}`,
      );
    }
  }
  return { backbone: config.backbone, decodeHead, auxiliaryHead, numClasses };
}

function checkCount(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new IIError('ERR_CONFIG', `${name}: expected a positive integer, got ${value}`);
  }
}

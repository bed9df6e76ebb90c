import { Random } from '@ii/tensor';
import type { Sample } from '../sample.js';
import { normalize, type NormalizeConfig } from './normalize.js';
import { TransformConfigError, TransformOptions } from './options.js';
import { pad, type PadConfig } from './pad.js';
import { photometricDistortion, type PhotometricDistortionConfig } from './photometric-distortion.js';
import { randomCrop, type RandomCropConfig } from './random-crop.js';
import { randomFlip, type RandomFlipConfig } from './random-flip.js';
import { resize, resizeToMultiple, type ResizeConfig, type ResizeToMultipleConfig } from './resize.js';
import type { TransformKind } from './transform.js';

/** One transform as plain data: what it is, and its options. */
export type TransformConfig =
  | ResizeConfig
  | ResizeToMultipleConfig
  | RandomCropConfig
  | RandomFlipConfig
  | PhotometricDistortionConfig
  | NormalizeConfig
  | PadConfig;

/** What all chance in a sample's transforms depends on. */
export interface SampleKey {
  readonly seed: number;
  /** How often the data set was gone through before. */
  readonly epoch: number;
  /** Place of the sample in the data set. */
  readonly index: number;
}

/** All transforms of a list, one after the other. The same sample and key give the same result, anywhere. */
export type ComposedTransform = (sample: Sample, key: SampleKey) => Sample;

const KINDS: Readonly<Record<TransformConfig['type'], TransformKind>> = {
  resize,
  resizeToMultiple,
  randomCrop,
  randomFlip,
  photometricDistortion,
  normalize,
  pad,
};

/**
 * Makes one function of a list of transforms. Each transform has a stream of random numbers of its own, fixed by seed,
 * epoch, index and its place in the list; options that change how much one draws leave the others as they were.
 *
 * @param configs a typed list, or plain data from a file: everything is checked.
 * @throws TransformConfigError if an entry is unknown, has an unknown or impossible option, or works on bytes but stands
 *   behind `normalize`.
 */
export function compose(configs: readonly TransformConfig[]): ComposedTransform {
  if (!Array.isArray(configs)) {
    throw new TransformConfigError(`transforms must be a list of { type: … }, got ${JSON.stringify(configs)}`);
  }
  let normalized = -1;
  const steps = configs.map((entry: unknown, position) => {
    const { type, kind } = kindOf(entry, position);
    const where = `transforms[${position}] (${type})`;
    if (kind.onBytes && normalized >= 0) {
      throw new TransformConfigError(`${where} works on bytes: put it before transforms[${normalized}] (normalize)`);
    }
    if (kind === normalize) normalized = position;
    return kind.create(new TransformOptions(entry as Readonly<Record<string, unknown>>, where));
  });
  return (sample, { seed, epoch, index }) =>
    steps.reduce((current, step, place) => step(current, new Random(seed, `${epoch}/${index}/${place}`)), sample);
}

function kindOf(entry: unknown, position: number): { readonly type: string; readonly kind: TransformKind } {
  const type = typeof entry === 'object' && entry !== null && 'type' in entry ? entry.type : undefined;
  if (typeof type === 'string' && Object.hasOwn(KINDS, type)) {
    return { type, kind: KINDS[type as TransformConfig['type']] };
  }
  const got = type === undefined ? JSON.stringify(entry) : `type ${JSON.stringify(type)}`;
  throw new TransformConfigError(
    `transforms[${position}]: expected a type of ${Object.keys(KINDS).join(', ')}; got ${got}`,
  );
}

import type { LabelRule, Sample, SampleKey, SamplePair, TransformConfig } from '@ii/ade20k';
import ndarray from 'ndarray';

/** What a worker is started with: all that is the same for each sample. */
export interface WorkerSetup {
  readonly root: string;
  readonly rule: LabelRule;
  readonly transforms: readonly TransformConfig[];
}

/** One sample to load. */
export interface WorkerTask {
  readonly pair: SamplePair;
  readonly key: SampleKey;
}

/** An array on the wire. */
interface WireArray<T> {
  readonly shape: readonly number[];
  readonly data: T;
}

/** A sample on the wire. */
export interface WireSample extends Pick<Sample, 'name' | 'originalSize'> {
  readonly image: WireArray<Uint8Array | Float32Array>;
  readonly labels?: WireArray<Uint8Array>;
}

/** What comes back; errors travel as data, as a thrown one would lose its class on the way. */
export type WorkerReply =
  | { readonly sample: WireSample }
  | { readonly error: { readonly code: string; readonly message: string; readonly file?: string } };

/** A sample whose arrays are contiguous, ready to be sent. */
export function toWire({ name, originalSize, image, labels }: Sample): WireSample {
  return {
    ...{ name, originalSize, image: { shape: image.shape, data: image.data } },
    ...(labels && { labels: { shape: labels.shape, data: labels.data } }),
  };
}

export function fromWire({ name, originalSize, image, labels }: WireSample): Sample {
  return {
    ...{ name, originalSize, image: ndarray(image.data, [...image.shape]) as Sample['image'] },
    ...(labels && { labels: ndarray(labels.data, [...labels.shape]) }),
  };
}

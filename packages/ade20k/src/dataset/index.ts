/** Data sets of photos and annotations, read file by file. */
export {
  openAde20k,
  openDataset,
  SegmentationDataset,
  type Ade20kSplit,
  type DatasetAccess,
  type DatasetOptions,
} from './dataset.js';
export { DatasetError, SampleError } from './errors.js';
export type { LabelConvention, LabelRule } from './label-rule.js';
export { loadPair, type DecodedSample, type PairReader } from './load-pair.js';
export type { DatasetLayout, SamplePair } from './pairs.js';
export type { DirectorySource, ImageDecoder } from './source.js';
export type { ClassCount, DatasetIssue, DatasetReport, ValidateOptions } from './validate.js';

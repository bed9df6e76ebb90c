/** ADE20K: classes and colours, data sets, transforms, samplers, the batch loader, and the metrics. */
export { ADE20K_CLASSES, ADE20K_CLASS_NAMES, type Ade20kClass } from './classes.js';
export { ADE20K_PALETTE } from './palette.js';
export { reduceZeroLabel } from './labels.js';
export {
  IMAGENET_MEAN,
  IMAGENET_STD,
  inferenceTransform,
  type InferenceInput,
  type InferenceOptions,
} from '@ii/tensor/image';
export type { Sample } from './sample.js';
export * from './dataset/index.js';
export {
  benchmarkMapping,
  decodeReleaseMask,
  releaseMaskNames,
  toBenchmarkLabels,
  type BenchmarkMapping,
  type ReleaseMask,
} from './full-release.js';
export * from './metrics/index.js';
export * from './transforms/index.js';
export {
  parseShard,
  SamplerError,
  sequentialSampler,
  shuffledSampler,
  type SampleRef,
  type SequentialOptions,
  type Shard,
  type ShuffledOptions,
} from './sampler.js';
export * from './loader/index.js';
export * from './synthetic/index.js';
export {
  Evaluation,
  openEvaluation,
  type EvaluatedImage,
  type EvaluationOptions,
  type EvaluationProgress,
  type EvaluationStore,
} from './evaluate.js';
export {
  EvaluationError,
  evaluationReport,
  isComplete,
  mergeEvaluations,
  parseEvaluationState,
  type EvaluationReport,
  type EvaluationState,
  type ImageScore,
  type RunDescription,
  type SkippedEntry,
} from './evaluation-state.js';

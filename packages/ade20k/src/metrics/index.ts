/** Figures of a segmentation: the confusion matrix, and what follows from it. */
export {
  ConfusionMatrix,
  type ClassAreas,
  type ConfusionMatrixJson,
  type ConfusionMatrixOptions,
} from './confusion-matrix.js';
export {
  segmentationMetrics,
  segmentationReport,
  type ClassMetrics,
  type MeanMetrics,
  type Nullable,
  type SegmentationMetrics,
  type SegmentationReport,
} from './segmentation-metrics.js';

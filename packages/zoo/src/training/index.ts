/** Training: the official recipe, the runner, its checkpoints and its log. */
export { BatchError } from './batch.js';
export type {
  CheckpointEvent,
  EvaluatingEvent,
  EvaluationEvent,
  IterationEvent,
  StartEvent,
  TrainingEvent,
  WarningEvent,
} from './events.js';
export {
  parseLog,
  type IterationFigures,
  type LogHeader,
  type LogLine,
  type TrainingLog,
  type TrainLine,
  type ValidationLine,
} from './log.js';
export { batchWarning, planTraining, type TrainingOptions, type TrainingPlan } from './plan.js';
export { loadStartWeights, type StartReport } from './start-weights.js';
export { FILES as TRAINING_FILES, type BestResult } from './state-file.js';
export { TrainingStep, type PendingFigures } from './step.js';
export { NotFiniteError, train, type TrainingResult, type TrainOptions } from './train.js';
export { parseTrainingFile, readTrainingFile, type TrainingData, type TrainingFile } from './training-file.js';
export { memoryDirectory, ResumeError, type WorkDirectory } from './work-directory.js';

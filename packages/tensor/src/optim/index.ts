/** Training's arithmetic: optimiser, learning-rate schedule, clipping. */
export { AdamW, type AdamWHyperparameters } from './adamw.js';
export { clipFactor, gradientNorm } from './gradient-norm.js';
export type { ParameterGroup } from './parameter-group.js';
export { polySchedule, type LearningRate, type PolySchedule } from './schedule.js';

export { backward } from './backward.js';
export { checkpoint } from './checkpoint.js';
export { keptInCheckpoint } from './kept-results.js';
export { record, valueAndGradients, type Recording } from './record.js';
export { differentiable, isTracked, noGrad, type Gradient, type OperatorCall } from './tape.js';
export { inFullPrecision } from '../precision.js';

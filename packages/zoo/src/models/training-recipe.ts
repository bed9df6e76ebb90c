import type { InputSize, TestScale } from './model.js';

/** How a model is trained, as plain data. */
export interface TrainingRecipe {
  readonly iterations: number;
  /** Images in one step of the optimiser, over all passes and devices, that `lr` is for. */
  readonly effectiveBatch: number;
  /** Size of the training crops. */
  readonly crop: InputSize;
  /** Limits of a photo's long and short side before the random ratio of 0.5 to 2. */
  readonly scale: TestScale;
  /** AdamW's learning rate. */
  readonly lr: number;
  readonly weightDecay: number;
  /** Factor of the learning rate from one layer to the one below it. */
  readonly layerDecay: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** Largest L2 norm of all gradients together; null: no clipping. */
  readonly gradientClip: number | null;
  readonly warmupIterations: number;
  readonly warmupRatio: number;
  /** Exponent of the schedule's decay. */
  readonly power: number;
  readonly minLr: number;
  /** Iterations from one checkpoint to the next. */
  readonly checkpointEvery: number;
  /** Iterations from one evaluation to the next. */
  readonly evaluateEvery: number;
  /** Iterations from one line of the log to the next. */
  readonly logEvery: number;
}

/** What an official model has of its own. */
export interface OfficialTraining {
  readonly recipe: TrainingRecipe;
  /** Images on each GPU. */
  readonly imagesPerGpu: number;
  /** The classification checkpoint that its backbone starts from. */
  readonly backbone: string;
}

/** What the six official configurations have in common. */
const COMMON = {
  iterations: 160_000,
  effectiveBatch: 16,
  weightDecay: 0.05,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  warmupIterations: 1500,
  warmupRatio: 1e-6,
  power: 1,
  minLr: 0,
  checkpointEvery: 1000,
  evaluateEvery: 16_000,
  logEvery: 50,
} as const;

/** T, S and B: no layer decay and no clipping. L, XL and H: both. */
export function officialRecipe(crop: number, scale: TestScale, layerDecay: number | null): TrainingRecipe {
  const rates =
    layerDecay === null ? { lr: 6e-5, layerDecay: 1, gradientClip: null } : { lr: 2e-5, layerDecay, gradientClip: 0.1 };
  return { ...COMMON, ...rates, crop: [crop, crop], scale };
}

import type { EvaluationReport } from '@ii/ade20k';
import type { IterationFigures } from './log.js';
import type { BestResult } from './state-file.js';

/** A run begins, or goes on. */
export interface StartEvent {
  readonly type: 'start';
  /** Iterations done before. */
  readonly iteration: number;
  readonly iterations: number;
  readonly resumed: boolean;
  /** What a person must not overlook. */
  readonly warnings: readonly string[];
}

/** An iteration is done. */
export interface IterationEvent {
  readonly type: 'iteration';
  /** Iterations done. */
  readonly iteration: number;
  readonly iterations: number;
  readonly epoch: number;
  readonly figures: IterationFigures;
  /** Learning rates of the parameter groups. */
  readonly learningRates: readonly number[];
  /** The base rate: that of a group whose scale is 1. */
  readonly lr: number;
  /** Seconds until the last iteration, at the mean speed of this run; evaluations not counted. */
  readonly remainingSeconds: number;
  /** Bytes that the device has claimed. */
  readonly memory: number;
}

/** An image of an evaluation is done. */
export interface EvaluatingEvent {
  readonly type: 'evaluating';
  readonly iteration: number;
  readonly done: number;
  readonly total: number;
  readonly remainingSeconds: number;
}

export interface EvaluationEvent {
  readonly type: 'evaluation';
  readonly iteration: number;
  readonly report: EvaluationReport;
  readonly best: BestResult | null;
  /** Whether this is the best so far; its weights were written then. */
  readonly improved: boolean;
}

export interface CheckpointEvent {
  readonly type: 'checkpoint';
  readonly iteration: number;
  /** Where it was written. */
  readonly file: string;
}

/** Something went wrong that does not end the run: an entry or a batch was left out. */
export interface WarningEvent {
  readonly type: 'warning';
  readonly message: string;
}

/** What a training run reports, in order. */
export type TrainingEvent =
  StartEvent | IterationEvent | EvaluatingEvent | EvaluationEvent | CheckpointEvent | WarningEvent;

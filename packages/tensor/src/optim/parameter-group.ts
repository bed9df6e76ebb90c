import type { Parameter } from '../nn/parameter.js';

/** Parameters that an optimiser treats alike. */
export interface ParameterGroup {
  /** For messages and logs. */
  readonly name: string;
  /** By full name. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  /** The group's learning rate as a multiple of the base rate. */
  readonly lrScale: number;
  /** Share of a parameter, times the learning rate, that a step takes away from it. */
  readonly weightDecay: number;
}

import { IIError, type Module } from '@ii/tensor';
import type { UperNet } from './upernet.js';

/**
 * Takes the first parts of the backbone out of the training: their parameters become untrainable. Stages count as in
 * mmsegmentation's backbones: 0 freezes the stem, n the stem and the first n stages, −1 nothing.
 *
 * @returns the frozen modules: give them `train(null)` after the network's `train`, so that they drop nothing either.
 * @throws IIError when the backbone has fewer stages.
 */
export function freezeStages({ backbone }: UperNet, stages: number): Module[] {
  const { depths } = backbone.config;
  if (!Number.isInteger(stages) || stages < -1 || stages > depths.length) {
    throw new IIError('ERR_OPTION', `frozenStages: expected -1 (none) to ${depths.length}, got ${stages}`);
  }
  const isFrozen = (name: string): boolean => {
    if (name === 'patch_embed') return stages >= 0;
    const level = /^levels\.(\d+)$/.exec(name);
    return level !== null && Number(level[1]) < stages;
  };
  const frozen = [...backbone.namedModules()].flatMap(([name, module]) => (isFrozen(name) ? [module] : []));
  for (const module of frozen) for (const [, parameter] of module.namedParameters()) parameter.trainable = false;
  return frozen;
}

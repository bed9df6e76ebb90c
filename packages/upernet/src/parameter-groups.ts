/**
 * The optimiser's parameter groups with layer-wise learning-rate decay, as InternImage's
 * `segmentation/mmcv_custom/custom_layer_decay_optimizer_constructor.py` makes them.
 */
import { IIError, type Parameter, type ParameterGroup } from '@ii/tensor';
import type { UperNet } from './upernet.js';

export interface LayerDecayOptions {
  /** Weight decay of matrices and kernels; biases, norms and all vectors have none. Default: 0.05. */
  readonly weightDecay?: number;
  /** Factor of the learning rate from one layer to the one below it, above 0 and up to 1. Default: 1. */
  readonly layerDecay?: number;
}

/** A group whose parameters lie at one depth of the network. */
export interface LayerGroup extends ParameterGroup {
  /** 0 is the stem, then the blocks count up, and the heads have the highest. */
  readonly layer: number;
}

/**
 * The trainable parameters in groups of one depth and one weight decay, in the official order: a group stands where its
 * first parameter does.
 *
 * @throws IIError for a decay out of range.
 */
export function layerDecayGroups(network: UperNet, options: LayerDecayOptions = {}): LayerGroup[] {
  const { weightDecay = 0.05, layerDecay = 1 } = options;
  if (!(layerDecay > 0 && layerDecay <= 1)) {
    throw new IIError('ERR_OPTION', `layerDecay must be above 0 and up to 1, got ${layerDecay}`);
  }
  if (!(weightDecay >= 0)) throw new IIError('ERR_OPTION', `weightDecay must be at least 0, got ${weightDecay}`);
  const { depths } = network.backbone.config;
  const last = total(depths) + 1;
  const groups = new Map<string, LayerGroup & { readonly parameters: Map<string, Parameter> }>();
  for (const [name, parameter] of network.namedParameters()) {
    if (!parameter.trainable) continue;
    const decays = parameter.shape.length !== 1 && !name.endsWith('.bias') && !name.includes('norm');
    const layer = layerOf(name, depths);
    const key = `layer_${layer}_${decays ? 'decay' : 'no_decay'}`;
    const lrScale = wholePower(layerDecay, last - layer);
    const group = groups.get(key) ?? {
      name: key,
      layer,
      lrScale,
      weightDecay: decays ? weightDecay : 0,
      parameters: new Map(),
    };
    group.parameters.set(name, parameter);
    groups.set(key, group);
  }
  return [...groups.values()];
}

const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/**
 * The depth of a parameter. The original finds the parts of a stage by their place in the name, so that
 * `post_norms.N` counts as block N of its stage; a stage's norm and downsampling go with the block that follows, those of
 * the last stage with the block before it.
 */
function layerOf(name: string, depths: readonly number[]): number {
  if (name.startsWith('backbone.patch_embed')) return 0;
  if (!name.startsWith('backbone.levels')) return total(depths) + 1;
  const [, , stage, part, index] = name.split('.');
  const level = Number(stage);
  if (part === 'downsample' || part === 'norm')
    return 1 + total(depths.slice(0, Math.min(level + 1, depths.length - 1)));
  return Number(index) + 1 + total(depths.slice(0, level));
}

/**
 * `base ** exponent`, correctly rounded: engines differ in the last bit of `**`, and the groups are to be the same
 * everywhere.
 */
function wholePower(base: number, exponent: number): number {
  let shift = 0;
  let integer = base;
  for (; !Number.isInteger(integer); shift++) integer *= 2;
  const power = BigInt(integer) ** BigInt(exponent);
  // 64 leading bits and whether anything follows decide the rounding to 53.
  const dropped = Math.max(power.toString(2).length - 64, 0);
  const leading = power >> BigInt(dropped);
  const inexact = leading << BigInt(dropped) !== power;
  return Number(inexact ? leading | 1n : leading) * 2 ** (dropped - shift * exponent);
}

import type { InternImageConfig } from '../src/index.js';

/** The original's snake-case configuration in ours. */
export function configOf(params: Readonly<Record<string, unknown>>): InternImageConfig {
  const names: Record<string, keyof InternImageConfig> = {
    channels: 'channels',
    depths: 'depths',
    groups: 'groups',
    layer_scale: 'layerScale',
    offset_scale: 'offsetScale',
    post_norm: 'postNorm',
    dw_kernel_size: 'dwKernelSize',
    res_post_norm: 'resPostNorm',
    level2_post_norm_block_ids: 'level2PostNormBlockIds',
    center_feature_scale: 'centerFeatureScale',
  };
  const entries = Object.entries(params).flatMap(([key, value]) => (names[key] ? [[names[key], value]] : []));
  return Object.fromEntries(entries) as unknown as InternImageConfig;
}

/**
 * Values from the configuration that a checkpoint carries: a file of ours as JSON (`meta.ii_config`), one of mmsegmentation
 * as Python text (`meta.config`), which is searched by narrow patterns and never evaluated.
 */
import { IIError } from '@ii/tensor';
import { parseConfig } from './config-file.js';
import type { TestScale } from './models/model.js';
import type { PlainObject } from './pth/index.js';

/** What the text says; undefined where it says nothing, or says different things in different places. */
export interface ConfigText {
  readonly offsetScale: number | undefined;
  readonly dropPathRate: number | undefined;
  readonly layerScale: number | null | undefined;
  readonly postNorm: boolean | undefined;
  readonly level2PostNormBlockIds: readonly number[] | null | undefined;
  readonly poolScales: readonly number[] | undefined;
  readonly testScale: TestScale | undefined;
}

const NUMBER = String.raw`[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?`;
const LIST = String.raw`[[(]\s*\d+(?:\s*,\s*\d+)*\s*,?\s*[\])]`;

/** Key of a model configuration file's text in the metadata of the checkpoints that we train. */
export const CONFIG_KEY = 'ii_config';

/** Reads the configuration in the metadata; without one every value is undefined. */
export function readConfigText(meta: PlainObject): ConfigText {
  const own = meta[CONFIG_KEY];
  return (typeof own === 'string' ? readOwn(own) : null) ?? readPython(meta);
}

/** A configuration file of ours; null if the text is damaged. */
function readOwn(text: string): ConfigText | null {
  try {
    const { config, testScale } = parseConfig(text);
    const { offsetScale = 1, dropPathRate = 0, layerScale = null, postNorm = false } = config.backbone;
    const { level2PostNormBlockIds = null } = config.backbone;
    const { poolScales = [1, 2, 3, 6] } = config.decodeHead ?? {};
    return { offsetScale, dropPathRate, layerScale, postNorm, level2PostNormBlockIds, poolScales, testScale };
  } catch (error) {
    if (!(error instanceof IIError)) throw error;
    return null;
  }
}

function readPython(meta: PlainObject): ConfigText {
  const text = typeof meta['config'] === 'string' ? meta['config'].replaceAll(/#.*$/gm, '') : '';
  const optionalNumber = (value: string): number | null => (value === 'None' ? null : Number(value));
  const optionalList = (value: string): number[] | null => (value === 'None' ? null : wholeNumbers(value));
  const imageScale = find(text, 'img_scale', LIST, wholeNumbers);
  return {
    offsetScale: find(text, 'offset_scale', NUMBER, Number),
    dropPathRate: find(text, 'drop_path_rate', NUMBER, Number),
    layerScale: find(text, 'layer_scale', `${NUMBER}|None`, optionalNumber),
    postNorm: find(text, 'post_norm', 'True|False', (value) => value === 'True'),
    level2PostNormBlockIds: find(text, 'level2_post_norm_block_ids', `${LIST}|None`, optionalList),
    poolScales: find(text, 'pool_scales', LIST, wholeNumbers),
    testScale: imageScale?.length === 2 ? [Math.max(...imageScale), Math.min(...imageScale)] : undefined,
  };
}

/** The value that every `key=value` or `'key': value` of the text agrees on. */
function find<T>(text: string, key: string, pattern: string, parse: (value: string) => T): T | undefined {
  const places = new RegExp(String.raw`(?<![\w.])(?:${key}\s*=|(['"])${key}\1\s*:)\s*(${pattern})(?![\w.])`, 'g');
  const values = new Map<string, T>();
  for (const [, , value = ''] of text.matchAll(places)) {
    const parsed = parse(value);
    values.set(JSON.stringify(parsed), parsed);
  }
  return values.size === 1 ? [...values.values()][0] : undefined;
}

const wholeNumbers = (list: string): number[] => Array.from(list.matchAll(/\d+/g), ([digits]) => Number(digits));

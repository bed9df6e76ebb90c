/** Model configurations in JSON files: the names of `UperNetConfig`, checked strictly. */
import { IIError } from '@ii/tensor';
import { UperNet, type UperNetConfig } from '@ii/upernet';
import * as v from 'valibot';
import { ConfigFileError, parseJsonFile, readTextFile } from './json-file.js';
import type { TestScale } from './models/model.js';

/** What a configuration file says. */
export interface ModelFile {
  readonly config: UperNetConfig;
  /** Scale of the model's test protocol, where the file gives one. */
  readonly testScale?: TestScale;
}

const positive = v.pipe(v.number(), v.integer(), v.minValue(1));
const index = v.pipe(v.number(), v.integer(), v.minValue(0));
const share = v.pipe(v.number(), v.minValue(0), v.maxValue(1));
const finite = v.pipe(v.number(), v.finite());

const backbone = v.strictObject({
  channels: positive,
  depths: v.array(positive),
  groups: v.array(positive),
  mlpRatio: v.exactOptional(v.pipe(v.number(), v.gtValue(0))),
  dropPathRate: v.exactOptional(share),
  layerScale: v.exactOptional(v.nullable(finite)),
  offsetScale: v.exactOptional(finite),
  postNorm: v.exactOptional(v.boolean()),
  dwKernelSize: v.exactOptional(v.nullable(positive)),
  resPostNorm: v.exactOptional(v.boolean()),
  level2PostNormBlockIds: v.exactOptional(v.nullable(v.array(index))),
  centerFeatureScale: v.exactOptional(v.boolean()),
  outIndices: v.exactOptional(v.array(index)),
  withCp: v.exactOptional(v.boolean()),
});

const decodeHead = v.strictObject({
  channels: v.exactOptional(positive),
  poolScales: v.exactOptional(v.array(positive)),
  dropoutRatio: v.exactOptional(share),
});

const auxiliaryHead = v.strictObject({
  inIndex: v.exactOptional(index),
  channels: v.exactOptional(positive),
  numConvs: v.exactOptional(positive),
  lossWeight: v.exactOptional(finite),
  dropoutRatio: v.exactOptional(share),
});

const network = {
  backbone,
  decodeHead: v.exactOptional(decodeHead),
  auxiliaryHead: v.exactOptional(v.nullable(auxiliaryHead)),
  numClasses: v.exactOptional(positive),
};

/** A `UperNetConfig` inside another file. */
export const networkSchema = v.strictObject(network);

const modelFile = v.strictObject({
  ...network,
  testScale: v.exactOptional(v.strictTuple([positive, positive])),
});

/** Keys of the parts of a `UperNetConfig`, by their path. */
export const networkKeys: Readonly<Record<string, readonly string[]>> = {
  backbone: Object.keys(backbone.entries),
  decodeHead: Object.keys(decodeHead.entries),
  auxiliaryHead: Object.keys(auxiliaryHead.entries),
};

/**
 * Reads a configuration from JSON text: `backbone` with `channels`, `depths` and `groups` is required, everything else
 * has the default of `UperNetConfig`.
 *
 * @param name what messages call the text.
 * @throws FormatError when the text is not JSON.
 * @throws ConfigFileError that names every unknown key with the nearest known one, and every wrong value, by its path.
 */
export function parseConfig(text: string, name = 'config'): ModelFile {
  const { testScale, ...config } = parseJsonFile(text, name, {
    title: 'model configuration',
    schema: modelFile,
    knownKeys: { '': Object.keys(modelFile.entries), ...networkKeys },
  });
  checkNetwork(config, name);
  return { config, ...(testScale && { testScale }) };
}

/**
 * Checks what one value of a configuration means for another.
 *
 * @param kind what the file is, as in {@link ConfigFileError}.
 * @throws ConfigFileError in the words of the model.
 */
export function checkNetwork(config: UperNetConfig, name: string, kind?: string): void {
  try {
    // Building a model allocates nothing.
    new UperNet(config).dispose();
  } catch (error) {
    if (!(error instanceof IIError)) throw error;
    throw new ConfigFileError(name, [error.message], kind);
  }
}

/**
 * Reads a configuration file (in Node).
 *
 * @throws IIError with the code `ERR_FILE` when the file cannot be read; otherwise as {@link parseConfig}.
 */
export async function readConfigFile(path: string): Promise<ModelFile> {
  return parseConfig(await readTextFile(path, 'the configuration'), path);
}

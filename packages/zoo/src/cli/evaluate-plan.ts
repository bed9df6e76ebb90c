/** What `ii evaluate` is asked to do, checked before any work. */
import { createHash } from 'node:crypto';
import { ADE20K_CLASS_NAMES, type LabelConvention, type RunDescription, type Shard } from '@ii/ade20k';
import { resolveInternImageConfig } from '@ii/backbone';
import {
  resolveUperNetConfig,
  slideWindows,
  type InferenceMode,
  type InferenceProtocol,
  type UperNetConfig,
} from '@ii/upernet';
import type { InputSize, TestScale } from '../models/model.js';
import { findModel } from '../registry.js';
import { fileSource } from '../source/file-source.js';
import type { ChosenModel, ModelFlags } from './choose-model.js';
import type { DeviceFlags } from './device-flags.js';
import { UsageError } from './output.js';

export interface EvaluateFlags extends ModelFlags, DeviceFlags {
  readonly data?: string;
  readonly labels?: LabelConvention;
  readonly protocol: InferenceProtocol;
  readonly mode: InferenceMode;
  readonly scale?: TestScale;
  readonly crop?: InputSize;
  readonly stride?: InputSize;
  readonly limit?: number;
  readonly shard?: Shard;
  readonly onError: 'fail' | 'skip';
  readonly resume?: true;
  readonly state?: string;
  readonly report?: string;
}

/** Scale of the official protocol where neither the flags nor the model say another. */
const DEFAULT_SCALE: TestScale = [2048, 512];

/** @throws UsageError for flags that are missing or do not go together. */
export function checkEvaluateFlags(flags: EvaluateFlags): asserts flags is EvaluateFlags & { readonly data: string } {
  const { data, model, checkpoint, config, seed, mode, crop, stride, report } = flags;
  if (data === undefined) {
    throw new UsageError(
      'name the data: --data ROOT, the folder ADEChallengeData2016 or one with images/ and annotations/',
    );
  }
  if ([model, checkpoint, config, seed].every((flag) => flag === undefined)) {
    throw new UsageError('name the model: --model NAME or --checkpoint FILE');
  }
  if (mode === 'whole' && (crop || stride)) throw new UsageError('--crop and --stride are for --mode slide');
  if (report !== undefined && !/\.html?$/i.test(report)) {
    throw new UsageError(`--report ${report}: expected a file name that ends in .html`);
  }
}

/** How each photo is labelled. */
export interface LabelPlan {
  readonly protocol: InferenceProtocol;
  readonly mode: InferenceMode;
  readonly scale: TestScale;
  /** Of `slide` only. */
  readonly crop?: InputSize;
  readonly stride?: InputSize;
}

/** @throws ShapeError for a crop and stride that do not go together. */
export function planLabels({ protocol, mode, ...flags }: EvaluateFlags, chosen: ChosenModel): LabelPlan {
  const scale = flags.scale ?? chosen.testScale ?? DEFAULT_SCALE;
  if (mode === 'whole') return { protocol, mode, scale };
  const crop = flags.crop ?? findModel(chosen.name ?? '')?.resolution ?? [512, 512];
  const twoThirds = (side: number): number => Math.max(Math.floor((side * 2) / 3), 1);
  const stride: InputSize = flags.stride ?? [twoThirds(crop[0]), twoThirds(crop[1])];
  slideWindows(crop, crop, stride);
  return { protocol, mode, scale, crop, stride };
}

/** What annotations of a model's classes mean. */
export function planAnnotations(flag: LabelConvention | undefined, numClasses: number): LabelConvention {
  if (flag !== undefined) return flag;
  if (numClasses === ADE20K_CLASS_NAMES.length) return 'ade20k';
  throw new UsageError(
    `this model has ${numClasses} classes, so the annotations are not ADE20K's: say what they mean with --labels ade20k (0 is unlabelled, k is class k − 1) or --labels raw (values are class ids)`,
  );
}

/** All that the figures depend on, the same on every machine: shards and resumed runs must agree in it. */
export async function describeRun(
  chosen: ChosenModel,
  plan: LabelPlan,
  data: { readonly fingerprint: string; readonly labels: LabelConvention },
  signal: AbortSignal,
): Promise<RunDescription> {
  const { weights, name, config } = chosen;
  const { protocol, mode, scale, crop, stride } = plan;
  const shown = (size: readonly number[] | undefined): string | null => size?.join('x') ?? null;
  return {
    ...{ model: name, configuration: configFingerprint(config) },
    weights: weights.kind === 'untrained' ? `seed ${weights.seed}` : await fileFingerprint(weights.file, signal),
    ...{ data: data.fingerprint, labels: data.labels },
    ...{ protocol, mode, scale: shown(scale), crop: shown(crop), stride: shown(stride) },
  };
}

function configFingerprint(config: UperNetConfig): string {
  const full = resolveUperNetConfig(config);
  const sorted = JSON.stringify(
    { ...full, backbone: resolveInternImageConfig(config.backbone) },
    (_, value: unknown) =>
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  );
  return createHash('sha256').update(sorted).digest('hex').slice(0, 16);
}

/** Tells weights apart without reading gigabytes: the size, and pieces from the whole length of the file. */
async function fileFingerprint(path: string, signal: AbortSignal): Promise<string> {
  const [pieces, length] = [16, 65_536];
  const file = await fileSource(path);
  try {
    const hash = createHash('sha256').update(String(file.size));
    const last = Math.max(file.size - length, 0);
    for (let i = 0; i < pieces; i++) {
      const at = Math.floor((last * i) / (pieces - 1));
      hash.update(await file.read(at, Math.min(length, file.size - at), signal));
    }
    return hash.digest('hex').slice(0, 16);
  } finally {
    await file.close();
  }
}

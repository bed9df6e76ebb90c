/**
 * The configuration of a checkpoint that came without one. Shapes tell almost everything; DCNv3's `offsetScale` and the
 * places of the level-2 norms are in no shape, so they come from the configuration text in the checkpoint, else from the
 * zoo's model with the same backbone, else the user is asked.
 */
import type { StateDict } from '@ii/tensor';
import type { FCNHeadConfig, UPerHeadConfig, UperNetConfig } from '@ii/upernet';
import { requireUperNetNames, UnknownCheckpointError } from './checkpoint-kind.js';
import { readConfigText, type ConfigText } from './config-text.js';
import type { TestScale, ZooModel } from './models/model.js';
import type { PlainObject } from './pth/index.js';
import { zooModels } from './registry.js';
import { backboneShapes, Shapes, type BackboneShapes } from './state-shapes.js';

/** How a value was found out: by the tensors' shapes, the checkpoint's text, the zoo's model of these shapes, or not. */
export type ConfigSource = 'shapes' | 'meta.config' | `model ${string}` | 'default';

export interface InferredConfig {
  readonly config: UperNetConfig;
  /** Where each value comes from, by its path: `backbone.offsetScale`. `default` only for what training alone uses. */
  readonly sources: Readonly<Record<string, ConfigSource>>;
  /** The zoo's model with a backbone of the same shapes, if there is one. */
  readonly model: ZooModel | null;
  /** Scale of the test protocol, from the checkpoint's text or from `model`. */
  readonly testScale: TestScale | null;
}

/** DCNv3 samples 3 × 3 points in every InternImage. */
const POINTS = 9;

/**
 * Finds out the configuration of a UPerNet on InternImage from its checkpoint's tensors (names and shapes only).
 *
 * @param options.meta the checkpoint's metadata, of which `ii_config` or `config` is read.
 * @param options.name what messages call the checkpoint.
 * @throws UnknownCheckpointError when it is another kind of model (saying which), when tensors that tell a value are
 *   missing or contradict each other, or when a value cannot be told and has to be given in a configuration file.
 */
export function inferConfig(
  tensors: StateDict,
  { meta = {}, name = 'the checkpoint' }: { readonly meta?: PlainObject; readonly name?: string } = {},
): InferredConfig {
  requireUperNetNames(tensors, name);
  const shapes = new Shapes(tensors, name);
  const text = readConfigText(meta);
  const found = backboneShapes(shapes, POINTS);
  const model = zooModels.find((candidate) => sameBackbone(candidate, found)) ?? null;
  const values = new Values(name, text, model);

  const { decodeHead, outIndices, numClasses } = inferDecodeHead(shapes, found, values, text);
  const auxiliaryHead = inferAuxiliaryHead(shapes, found, outIndices, values);
  values.note('numClasses', 'shapes');
  // Last, so that an incomplete file is reported before a question is asked.
  const backbone = inferBackbone(found, values, text, model);
  const wholeBackbone = outIndices.length === found.depths.length;
  return {
    config: {
      backbone: wholeBackbone ? backbone : { ...backbone, outIndices },
      decodeHead,
      auxiliaryHead,
      numClasses,
    },
    sources: values.sources,
    model,
    testScale: text.testScale ?? model?.testScale ?? null,
  };
}

/** Collects values together with where they come from. */
class Values {
  readonly sources: Record<string, ConfigSource> = {};

  constructor(
    readonly checkpoint: string,
    readonly text: ConfigText,
    readonly model: ZooModel | null,
  ) {}

  note(path: string, source: ConfigSource): void {
    this.sources[path] = source;
  }

  fromShapes<T>(path: string, value: T): T {
    this.note(path, 'shapes');
    return value;
  }

  /** A value that no shape tells: from the text, else from the zoo's model, else `fallback`. */
  told<T>(path: string, fromText: T | undefined, fromModel: T | undefined, fallback: () => T): T {
    if (fromText !== undefined) {
      this.note(path, 'meta.config');
      return fromText;
    }
    if (this.model && fromModel !== undefined) {
      this.note(path, `model ${this.model.name}`);
      return fromModel;
    }
    this.note(path, 'default');
    return fallback();
  }

  /** For a value that the labels depend on and that nothing tells. */
  ask(value: string, hint: string): never {
    throw new UnknownCheckpointError(
      `cannot tell ${value} of '${this.checkpoint}': no shape shows it, its metadata has no configuration that does, and ` +
        `no model of the zoo has these shapes; ${hint} pass --config with a file that gives it`,
    );
  }
}

function inferBackbone(
  found: BackboneShapes,
  values: Values,
  text: ConfigText,
  model: ZooModel | null,
): UperNetConfig['backbone'] {
  const known = model?.config.backbone;
  const shaped = <T>(key: string, value: T): T => values.fromShapes(`backbone.${key}`, value);
  const told = <T>(key: string, fromText: T | undefined, fromModel: T | undefined, fallback: () => T): T =>
    values.told(`backbone.${key}`, fromText, fromModel, fallback);
  const modelValue = <T>(value: T | undefined, byDefault: T): T | undefined =>
    known ? (value ?? byDefault) : undefined;

  // A norm at the end of a stage means pre-norm, but with the centre scale every stage has one.
  const postNorm =
    found.stageNorm && found.centerFeatureScale
      ? told('postNorm', text.postNorm, modelValue(known?.postNorm, false), () =>
          values.ask('postNorm', 'official models with the centre scale (H) use false;'),
        )
      : shaped('postNorm', !found.stageNorm);
  const count = found.level2PostNorms;
  const textIds = text.level2PostNormBlockIds?.length === count ? text.level2PostNormBlockIds : undefined;
  const level2PostNormBlockIds =
    count === 0
      ? shaped('level2PostNormBlockIds', null)
      : told<readonly number[] | null>(
          'level2PostNormBlockIds',
          textIds,
          known?.level2PostNormBlockIds ?? undefined,
          () => values.ask('level2PostNormBlockIds', `${count} blocks of the third stage are followed by a norm;`),
        );
  return {
    channels: shaped('channels', found.channels),
    depths: shaped('depths', found.depths),
    groups: shaped('groups', found.groups),
    mlpRatio: shaped('mlpRatio', found.mlpRatio),
    dropPathRate: told('dropPathRate', text.dropPathRate, known?.dropPathRate, () => 0),
    // Only the starting value of what the checkpoint holds.
    layerScale: found.layerScale
      ? told('layerScale', text.layerScale ?? undefined, known?.layerScale ?? undefined, () => 1)
      : shaped('layerScale', null),
    offsetScale: told('offsetScale', text.offsetScale, modelValue(known?.offsetScale, 1), () =>
      values.ask('offsetScale', 'official models use 1 (T, S, B, H) or 2 (L, XL);'),
    ),
    postNorm,
    dwKernelSize: shaped('dwKernelSize', found.dwKernelSize ** 2 === POINTS ? null : found.dwKernelSize),
    resPostNorm: shaped('resPostNorm', found.resPostNorm),
    level2PostNormBlockIds,
    centerFeatureScale: shaped('centerFeatureScale', found.centerFeatureScale),
    withCp: false,
  };
}

function inferDecodeHead(
  shapes: Shapes,
  found: BackboneShapes,
  values: Values,
  text: ConfigText,
): { decodeHead: UPerHeadConfig; outIndices: number[]; numClasses: number } {
  const [numClasses, channels] = shapes.first('decode_head.conv_seg.weight');
  const laterals = shapes.count(/^decode_head\.lateral_convs\.(\d+)\./);
  const inputs = Array.from(
    { length: laterals },
    (_, i) => shapes.first(`decode_head.lateral_convs.${i}.conv.weight`)[1],
  );
  const pooled = shapes.count(/^decode_head\.psp_modules\.(\d+)\./);
  inputs.push(shapes.first('decode_head.psp_modules.0.1.conv.weight')[1]);
  const outIndices = inputs.map((width) => shapes.stageOf(width, found, 'decode_head'));

  const path = 'decodeHead.poolScales';
  const known = values.model?.config.decodeHead?.poolScales;
  const fits = (scales: readonly number[] | undefined): readonly number[] | undefined =>
    scales?.length === pooled ? scales : undefined;
  const poolScales = values.told(
    path,
    fits(text.poolScales),
    fits(known),
    () => fits([1, 2, 3, 6]) ?? values.ask(path, `it pools to ${pooled} sizes;`),
  );
  values.note('decodeHead.dropoutRatio', 'default');
  return {
    decodeHead: { channels: values.fromShapes('decodeHead.channels', channels), poolScales, dropoutRatio: 0.1 },
    outIndices,
    numClasses,
  };
}

function inferAuxiliaryHead(
  shapes: Shapes,
  found: BackboneShapes,
  outIndices: readonly number[],
  values: Values,
): FCNHeadConfig | null {
  const numConvs = shapes.count(/^auxiliary_head\.convs\.(\d+)\./);
  if (numConvs === 0) return values.fromShapes('auxiliaryHead', null);
  const [channels, width] = shapes.first('auxiliary_head.convs.0.conv.weight');
  const inIndex = outIndices.indexOf(shapes.stageOf(width, found, 'auxiliary_head'));
  if (inIndex < 0) {
    throw new UnknownCheckpointError(
      `'${values.checkpoint}': the auxiliary head reads a map of ${width} channels, which the decode head does not`,
    );
  }
  const { lossWeight = 0.4, dropoutRatio = 0.1 } = values.model?.config.auxiliaryHead ?? {};
  for (const key of ['inIndex', 'channels', 'numConvs']) values.note(`auxiliaryHead.${key}`, 'shapes');
  for (const key of ['lossWeight', 'dropoutRatio']) values.note(`auxiliaryHead.${key}`, 'default');
  return { inIndex, channels, numConvs, lossWeight, dropoutRatio };
}

/** Whether the zoo's model has a backbone with these shapes; the heads may differ, as in a model for other classes. */
function sameBackbone({ config }: ZooModel, found: BackboneShapes): boolean {
  const { backbone } = config;
  const postNorm = backbone.postNorm ?? false;
  const centerFeatureScale = backbone.centerFeatureScale ?? false;
  return (
    backbone.channels === found.channels &&
    String(backbone.depths) === String(found.depths) &&
    String(backbone.groups) === String(found.groups) &&
    (backbone.mlpRatio ?? 4) === found.mlpRatio &&
    (backbone.dwKernelSize ?? 3) === found.dwKernelSize &&
    ((backbone.layerScale ?? null) !== null) === found.layerScale &&
    (backbone.resPostNorm ?? false) === found.resPostNorm &&
    (backbone.level2PostNormBlockIds?.length ?? 0) === found.level2PostNorms &&
    centerFeatureScale === found.centerFeatureScale &&
    (!postNorm || centerFeatureScale) === found.stageNorm
  );
}

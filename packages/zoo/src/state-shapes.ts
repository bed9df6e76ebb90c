/** What the shapes of a state dict tell about an InternImage. */
import type { StateDict } from '@ii/tensor';
import { UnknownCheckpointError } from './checkpoint-kind.js';

/** The part of a backbone's configuration that its tensors show. */
export interface BackboneShapes {
  readonly channels: number;
  readonly depths: readonly number[];
  readonly groups: readonly number[];
  readonly mlpRatio: number;
  /** Side of the depthwise kernels. */
  readonly dwKernelSize: number;
  readonly layerScale: boolean;
  readonly resPostNorm: boolean;
  readonly centerFeatureScale: boolean;
  /** Norms after blocks of the third stage. */
  readonly level2PostNorms: number;
  /** Whether stages end in a norm. */
  readonly stageNorm: boolean;
}

/** Look-ups of names and shapes that fail in words. */
export class Shapes {
  readonly #names: readonly string[];

  constructor(
    readonly tensors: StateDict,
    /** What messages call the checkpoint. */
    readonly checkpoint: string,
  ) {
    this.#names = [...tensors.keys()];
  }

  some(pattern: RegExp): boolean {
    return this.#names.some((name) => pattern.test(name));
  }

  /** One more than the largest number that the pattern's group catches; 0 if it matches nowhere. */
  count(pattern: RegExp): number {
    return this.#names.reduce((count, name) => Math.max(count, Number(pattern.exec(name)?.[1] ?? -1) + 1), 0);
  }

  /**
   * Rows, columns and kernel side of the first of these tensors that is there.
   *
   * @throws UnknownCheckpointError when none is.
   */
  first(...names: readonly string[]): readonly [rows: number, columns: number, kernel: number] {
    for (const name of names) {
      const shape = this.tensors.get(name)?.shape;
      if (shape && shape.length >= 2) return [shape[0]!, shape[1]!, shape[2] ?? 1];
    }
    const others = names.length > 1 ? ` (nor the same tensor of ${names.length - 1} other blocks)` : '';
    throw new UnknownCheckpointError(
      `'${this.checkpoint}' lacks '${names[0]}'${others}, which would tell its configuration: it is incomplete`,
    );
  }

  /** The same tensor of any block of a stage, so that one missing tensor is reported by the loader and not here. */
  inStage(stage: number, depth: number, tensor: string): readonly [rows: number, columns: number, kernel: number] {
    return this.first(...Array.from({ length: depth }, (_, j) => `backbone.levels.${stage}.blocks.${j}.${tensor}`));
  }

  /** The stage whose map has `width` channels. */
  stageOf(width: number, { channels, depths }: BackboneShapes, reader: string): number {
    const stage = depths.findIndex((_, i) => channels * 2 ** i === width);
    if (stage >= 0) return stage;
    const widths = depths.map((_, i) => channels * 2 ** i).join(', ');
    throw new UnknownCheckpointError(
      `'${this.checkpoint}': ${reader} reads a map of ${width} channels, but the backbone's maps have ${widths}`,
    );
  }
}

/**
 * @param points sampling points of DCNv3 per group.
 * @throws UnknownCheckpointError when the shapes are not those of an InternImage.
 */
export function backboneShapes(shapes: Shapes, points: number): BackboneShapes {
  const refuse = (problem: string): never => {
    throw new UnknownCheckpointError(`'${shapes.checkpoint}' is not an InternImage as published: ${problem}`);
  };
  const stages = shapes.count(/^backbone\.levels\.(\d+)\./);
  const depths = Array.from({ length: stages }, (_, i) => {
    const depth = shapes.count(new RegExp(String.raw`^backbone\.levels\.${i}\.blocks\.(\d+)\.`));
    return depth > 0 ? depth : refuse(`stage ${i} has no blocks`);
  });
  const widths = depths.map((depth, i) => shapes.inStage(i, depth, 'dcn.input_proj.weight')[0]);
  const [channels = 0] = widths;
  if (widths.some((width, i) => width !== channels * 2 ** i)) {
    refuse(`its stages have ${widths.join(', ')} channels, which do not double`);
  }
  const groups = depths.map((depth, i) => {
    const [rows] = shapes.inStage(i, depth, 'dcn.mask.weight');
    return rows % points === 0
      ? rows / points
      : refuse(`stage ${i} has ${rows} sampling weights, not ${points} per group`);
  });
  const hidden = depths.map((depth, i) => shapes.inStage(i, depth, 'mlp.fc1.weight')[0]);
  return {
    channels,
    depths,
    groups,
    mlpRatio: hiddenRatio(hidden, widths) ?? refuse(`its MLPs have ${hidden.join(', ')} channels, no common ratio`),
    dwKernelSize: shapes.inStage(0, depths[0]!, 'dcn.dw_conv.0.weight')[2],
    layerScale: shapes.some(/^backbone\.levels\.\d+\.blocks\.\d+\.gamma1$/),
    resPostNorm: shapes.some(/^backbone\.levels\.\d+\.blocks\.\d+\.res_post_norm1\./),
    centerFeatureScale: shapes.some(/\.center_feature_scale_proj_weight$/),
    level2PostNorms: shapes.count(/^backbone\.levels\.2\.post_norms\.(\d+)\./),
    stageNorm: shapes.some(/^backbone\.levels\.\d+\.norm\./),
  };
}

/** The ratio that gives these hidden sizes, which are cut to whole numbers. */
function hiddenRatio(hidden: readonly number[], widths: readonly number[]): number | undefined {
  const ratio = hidden.at(-1)! / widths.at(-1)!;
  // The quotient may be a rounding error too small to give the size back.
  return [ratio, ratio * (1 + Number.EPSILON)].find((candidate) =>
    widths.every((width, i) => Math.trunc(width * candidate) === hidden[i]),
  );
}

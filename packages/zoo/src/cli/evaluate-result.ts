/** What `ii evaluate` tells in the end. */
import type { Evaluation } from '@ii/ade20k';
import type { Segmentor } from '@ii/upernet';
import type { ChosenModel } from './choose-model.js';
import type { EvaluateFlags, LabelPlan } from './evaluate-plan.js';
import { showFigures, showRate, showTime } from './evaluate-text.js';
import type { Session } from './session.js';

/** What a program is told besides the figures. */
export interface EvaluationFacts {
  readonly data: string;
  readonly protocol: string;
  readonly mode: string;
  readonly scale: readonly number[];
  readonly crop: readonly number[] | null;
  readonly stride: readonly number[] | null;
  readonly model: string | null;
  readonly title: string;
  readonly weights: ChosenModel['weights'];
  readonly warning: string | null;
  readonly device: string;
  readonly selection: string;
  /** `i/n`, or null. */
  readonly shard: string | null;
  readonly state: string | null;
  readonly report: string | null;
  readonly skipped: readonly { readonly index: number; readonly file: string; readonly message: string }[];
  readonly secondsPerImage: number | null;
}

/** The facts of a run that has ended. */
export function describeResult(
  evaluation: Evaluation,
  given: {
    readonly flags: EvaluateFlags & { readonly data: string };
    readonly chosen: ChosenModel;
    readonly plan: LabelPlan;
    readonly model: Segmentor;
    readonly statePath: string | null;
  },
): EvaluationFacts {
  const { flags, chosen, plan, model } = given;
  const { images, seconds, skipped } = evaluation.state;
  const { protocol, mode, scale, crop = null, stride = null } = plan;
  return {
    ...{ data: flags.data, protocol, mode, scale, crop, stride },
    ...{ model: chosen.name, title: chosen.title, weights: chosen.weights, warning: chosen.warning },
    ...{ device: model.device.name, selection: model.device.selection },
    shard: flags.shard ? `${flags.shard.index + 1}/${flags.shard.count}` : null,
    ...{ state: given.statePath, report: flags.report ?? null, skipped },
    secondsPerImage: images.length > 0 ? seconds / images.length : null,
  };
}

/** Shows figures and facts, as text or as JSON. */
export function showResult(evaluation: Evaluation, facts: EvaluationFacts, { output }: Session): void {
  const figures = evaluation.report();
  output.document({ ...figures, ...facts });
  output.text(showFigures(figures, output));
  const { secondsPerImage, skipped, state, report: page } = facts;
  if (secondsPerImage !== null && secondsPerImage > 0) {
    output.text(`\n${showRate(1 / secondsPerImage)}, ${showTime(secondsPerImage * figures.images)} in all`);
  }
  if (skipped.length > 0) output.text(`${skipped.length} left out`);
  for (const path of [state, page]) if (path !== null) output.text(`wrote ${path}`);
}

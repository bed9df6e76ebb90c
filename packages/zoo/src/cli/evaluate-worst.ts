/** The images whose labels are worst. */
import type { ImageScore } from '@ii/ade20k';
import type { LabelMap } from '@ii/tensor/image';

/** The `count` images with the lowest mIoU, the worst first; those in which nothing is labelled have none. */
export function worstScores(scores: readonly ImageScore[], count: number): ImageScore[] {
  return scores
    .filter(({ mIoU }) => mIoU !== null)
    .sort((a, b) => a.mIoU! - b.mIoU! || a.index - b.index)
    .slice(0, count);
}

/** Keeps the predictions of the worst images of a run, so that a report need not label them again. */
export class WorstPredictions {
  readonly #count: number;
  #kept: { readonly score: ImageScore; readonly prediction: LabelMap }[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  add(score: ImageScore, prediction: LabelMap): void {
    this.#kept.push({ score, prediction });
    const worst = new Set(
      worstScores(
        this.#kept.map((kept) => kept.score),
        this.#count,
      ),
    );
    this.#kept = this.#kept.filter((kept) => worst.has(kept.score));
  }

  /** The prediction for an entry; undefined if it was not kept. */
  of(index: number): LabelMap | undefined {
    return this.#kept.find(({ score }) => score.index === index)?.prediction;
  }
}

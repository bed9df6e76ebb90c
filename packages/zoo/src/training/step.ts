import type { LoadedBatch } from '@ii/ade20k';
import {
  AdamW,
  clipFactor,
  concat,
  gradientNorm,
  polySchedule,
  Random,
  record,
  reshape,
  scope,
  type Device,
  type LearningRate,
  type Module,
  type Tensor,
  type Training,
} from '@ii/tensor';
import { freezeStages, layerDecayGroups, type Losses, type UperNet } from '@ii/upernet';
import type { IterationFigures } from './log.js';
import type { TrainingPlan } from './plan.js';

/** What an iteration computed, still on its way from the device. */
export type PendingFigures = Promise<Omit<IterationFigures, 'dataSeconds' | 'seconds'>>;

/** One network in training: enqueues iterations, forward and backward passes and the optimiser's step. */
export class TrainingStep {
  readonly optimizer: AdamW;
  readonly #schedule: LearningRate;
  readonly #frozen: readonly Module[];
  readonly #sync: Training['sync'];

  /**
   * @param network with its starting values.
   * @param sync takes batch statistics over several processes.
   */
  constructor(
    readonly network: UperNet,
    readonly device: Device,
    readonly plan: TrainingPlan,
    sync?: Training['sync'],
  ) {
    const { recipe, frozenStages } = plan;
    this.#frozen = freezeStages(network, frozenStages);
    this.optimizer = new AdamW(layerDecayGroups(network, recipe), recipe);
    this.#schedule = polySchedule(recipe);
    this.#sync = sync;
  }

  /** The learning rate of each parameter group in an iteration (from 0). */
  learningRates(iteration: number): number[] {
    return this.optimizer.groups.map(({ lrScale }) => this.#schedule(iteration, lrScale * this.plan.recipe.lr));
  }

  /**
   * Enqueues an iteration and starts to read its figures.
   *
   * @param iteration from 0. @param batches one for each pass.
   */
  run(iteration: number, batches: readonly LoadedBatch[]): PendingFigures {
    const { optimizer, plan } = this;
    optimizer.zeroGradients();
    const passes = batches.map((batch, pass) => this.#pass(batch, `${iteration}/${pass}`, batches.length));
    const figures = scope(() => {
      const norm = gradientNorm(this.#parameters());
      const clip = plan.recipe.gradientClip;
      optimizer.step(this.learningRates(iteration), clip === null ? undefined : clipFactor(norm, clip));
      return concat([reshape(norm, [1]), ...passes]);
    });
    for (const pass of passes) pass.dispose();
    optimizer.zeroGradients();
    const hasAuxiliary = this.network.auxiliaryHead !== undefined;
    return figures
      .readFloat64()
      .then((values) => toFigures(values, batches.length, hasAuxiliary))
      .finally(() => figures.dispose());
  }

  /** Switches the network to inference, for an evaluation. */
  rest(): void {
    this.network.train(null);
  }

  dispose(): void {
    this.optimizer.dispose();
    this.network.dispose();
  }

  /** Adds a batch's share of the gradients. @returns its losses and accuracies as one vector. */
  #pass(batch: LoadedBatch, label: string, passes: number): Tensor {
    const { network, device, plan } = this;
    network.train({ random: new Random(plan.seed, `drops of ${label}`), sync: this.#sync });
    for (const module of this.#frozen) module.train(null);
    return scope(() => {
      const images = device.tensor(batch.images.data as Float32Array, batch.images.shape);
      const labels = device.tensor(batch.labels!.data, batch.labels!.shape);
      const parameters = [...this.#parameters()];
      const { value, backward } = record(
        () => network.losses(images, labels),
        parameters.map(({ tensor }) => tensor),
      );
      const share = device.tensor([1 / passes], value.total.shape);
      backward(value.total, share).forEach((gradient, i) => gradient && parameters[i]!.addGradient(gradient));
      return vectorOf(value);
    });
  }

  *#parameters() {
    for (const { parameters } of this.optimizer.groups) yield* parameters.values();
  }
}

function vectorOf({ total, decode, auxiliary }: Losses): Tensor {
  const scalars = [total, decode.loss, decode.accuracy, ...(auxiliary ? [auxiliary.loss, auxiliary.accuracy] : [])];
  return concat(scalars.map((scalar) => reshape(scalar, [1])));
}

/** Means over the passes; the gradients are means over them already. */
function toFigures(values: Float64Array, passes: number, hasAuxiliary: boolean): Awaited<PendingFigures> {
  const width = (values.length - 1) / passes;
  const mean = (place: number): number => {
    let sum = 0;
    for (let pass = 0; pass < passes; pass++) sum += values[1 + pass * width + place]!;
    return sum / passes;
  };
  return {
    gradientNorm: values[0]!,
    loss: mean(0),
    decodeLoss: mean(1),
    decodeAccuracy: 100 * mean(2),
    auxiliaryLoss: hasAuxiliary ? mean(3) : null,
    auxiliaryAccuracy: hasAuxiliary ? 100 * mean(4) : null,
  };
}

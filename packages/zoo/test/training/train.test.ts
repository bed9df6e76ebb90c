/** The training runner on a network and data of a few kilobytes. */
import ndarray from 'ndarray';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sample } from '@ii/ade20k';
import {
  bytesSource,
  createDevice,
  encodeSafetensors,
  IIError,
  readSafetensors,
  storedTensor,
  toFloat32,
  type Device,
  type StateDict,
} from '@ii/tensor';
import { UperNet } from '@ii/upernet';
import { classTable, inferConfig, openCheckpoint } from '../../src/index.js';
import {
  BatchError,
  memoryDirectory,
  NotFiniteError,
  parseLog,
  ResumeError,
  train,
  type TrainingEvent,
  type TrainOptions,
  type WorkDirectory,
} from '../../src/training/index.js';
import { pairs, runToEnd, tinyModel, tinyPlan } from './support.js';

let device: Device;
beforeAll(async () => {
  device = await createDevice('wasm', { threads: 2 });
});
afterAll(() => {
  expect(device.memory().tensors).toBe(0);
  device.dispose();
});

type Memory = ReturnType<typeof memoryDirectory>;

const file = async (directory: Memory, name: string): Promise<Uint8Array> => {
  const bytes = directory.files.get(name);
  if (!bytes) throw new Error(`there is no ${name}`);
  return bytes;
};

const logOf = async (directory: Memory): Promise<string> =>
  new TextDecoder().decode(await file(directory, 'train.log.json'));

/** All that a run leaves behind but times, to compare runs to the bit. */
async function outcome(directory: Memory): Promise<unknown> {
  const latest = await readSafetensors(bytesSource(await file(directory, 'latest.safetensors')));
  const state = JSON.parse(latest.metadata['ii_training']!) as { log: unknown };
  const tensors: Record<string, string> = {};
  for (const [name, tensor] of latest.tensors) tensors[name] = Buffer.from(await tensor.bytes()).toString('base64');
  const { train: lines, validation } = parseLog(await logOf(directory));
  const timeless = lines.map((line) => ({ ...line, time: 0, data_time: 0, memory: 0 }));
  const best = Buffer.from(await file(directory, 'best.safetensors')).toString('base64');
  return { tensors, state: { ...state, log: null }, lines: timeless, validation, best };
}

async function options(changes: Partial<TrainOptions> = {}): Promise<TrainOptions & { readonly directory: Memory }> {
  const dataset = await pairs('training');
  const validation = await pairs('validation', 2);
  return {
    plan: tinyPlan(),
    device,
    dataset,
    validation,
    ...changes,
    directory: (changes.directory ?? memoryDirectory()) as Memory,
  };
}

const kinds = (events: readonly TrainingEvent[]): string => events.map(({ type }) => type[0]! + type.at(-1)!).join(' ');

describe('a run', () => {
  let whole: Awaited<ReturnType<typeof options>>;
  let events: readonly TrainingEvent[];

  beforeAll(async () => {
    whole = await options();
    ({ events } = await runToEnd(whole));
  });

  it('reports every step in order', () => {
    const step = 'in';
    const evaluation = 'eg eg en ct';
    expect(kinds(events)).toBe(
      `st ${step} ${step} ct ${step} ${step} ct ${evaluation} ${step} ${step} ct ${evaluation}`,
    );
    const iterations = events.filter((event) => event.type === 'iteration');
    expect(iterations.map(({ iteration }) => iteration)).toEqual([1, 2, 3, 4, 5, 6]);
    // Linear warm-up over two iterations of the polynomial decay over six.
    expect(iterations[0]!.lr).toBeCloseTo(1e-9, 15);
    expect(iterations[1]!.lr).toBeCloseTo((1e-3 * 5) / 6 / 2, 8);
    expect(iterations.slice(2).map(({ lr }) => lr)).toEqual([4, 3, 2, 1].map((left) => 1e-3 * (1 - (6 - left) / 6)));
    for (const { figures } of iterations) {
      expect(figures.loss).toBeCloseTo(figures.decodeLoss + figures.auxiliaryLoss!, 5);
      expect(figures.gradientNorm).toBeGreaterThan(0);
    }
  });

  it("writes mmcv's log", async () => {
    const { train: lines, validation } = parseLog(await logOf(whole.directory));
    expect(lines.map(({ iter }) => iter)).toEqual([2, 4, 6]);
    const [first] = lines;
    expect(Object.keys(first!)).toEqual([
      ...['mode', 'epoch', 'iter', 'lr', 'memory', 'data_time', 'decode.loss_ce', 'decode.acc_seg'],
      ...['aux.loss_ce', 'aux.acc_seg', 'loss', 'grad_norm', 'time'],
    ]);
    const seen = events.flatMap((event) => (event.type === 'iteration' ? [event.figures] : []));
    expect(first!.loss).toBeCloseTo((seen[0]!.loss + seen[1]!.loss) / 2, 5);
    expect(first!['decode.acc_seg']).toBeCloseTo((seen[0]!.decodeAccuracy + seen[1]!.decodeAccuracy) / 2, 4);
    expect(validation.map(({ iter }) => iter)).toEqual([4, 6]);
    expect(Object.keys(validation[0]!)).toEqual(['mode', 'epoch', 'iter', 'lr', 'aAcc', 'mIoU', 'mAcc']);
    // 6 photos, 2 in a batch: the fourth iteration is in the second epoch.
    expect(lines.map(({ epoch }) => epoch)).toEqual([1, 2, 2]);
  });

  it('keeps the best weights, with what they are', async () => {
    const evaluations = events.filter((event) => event.type === 'evaluation');
    const best = evaluations.reduce((a, b) => (b.report.metrics.mIoU! > a.report.metrics.mIoU! ? b : a));
    const { tensors, metadata } = await readSafetensors(bytesSource(await file(whole.directory, 'best.safetensors')));
    expect(metadata).toMatchObject({
      iteration: String(best.iteration),
      mIoU: String(best.report.metrics.mIoU),
      CLASSES: '["wall","building","sky","floor"]',
    });
    const config = { ...tinyModel, numClasses: 4 };
    expect([...tensors.keys()]).toEqual([...new UperNet(config).namedState()].map(([name]) => name));
    expect(tensors.get('decode_head.conv_seg.weight')!.shape).toEqual([4, 8, 1, 1]);
    expect(tensors.get('auxiliary_head.conv_seg.weight')!.shape).toEqual([4, 8, 1, 1]);
    const count = await tensors.get('decode_head.bottleneck.bn.num_batches_tracked')!.bytes();
    expect(count[0]).toBe(best.iteration);
  });

  it('leaves checkpoints that say what they are and open as models', async () => {
    for (const name of ['best.safetensors', 'latest.safetensors']) {
      const { tensors, meta } = await openCheckpoint(bytesSource(await file(whole.directory, name)));
      expect([...tensors.keys()]).toEqual([...new UperNet(whole.plan.model).namedState()].map(([key]) => key));
      const { config, testScale } = inferConfig(tensors, { meta });
      expect(config).toMatchObject(whole.plan.model);
      expect(testScale).toEqual([64, 32]);
      expect(classTable(3, { CLASSES: meta['CLASSES']! }).names).toEqual(['class 0', 'class 1', 'class 2']);
      expect(classTable(4, meta).names).toEqual(whole.plan.classNames);
    }
  });

  it('is the same to the bit when it is done again', async () => {
    const again = await options();
    await runToEnd(again);
    expect(await outcome(again.directory)).toEqual(await outcome(whole.directory));
  });

  it.each([1, 3, 4, 5])('is the same to the bit when it is stopped behind iteration %i and goes on', async (stop) => {
    const part = await options();
    const controller = new AbortController();
    const stopped = (async () => {
      for await (const event of train({ ...part, signal: controller.signal })) {
        if (event.type === 'iteration' && event.iteration === stop) controller.abort(new Error('enough'));
      }
    })();
    await expect(stopped).rejects.toThrow('enough');
    const { events: rest } = await runToEnd({ ...part, resume: true });
    expect(rest[0]).toMatchObject({ type: 'start', resumed: true });
    expect((rest[0] as { iteration: number }).iteration).toBeGreaterThanOrEqual(stop);
    expect(await outcome(part.directory)).toEqual(await outcome(whole.directory));
  });

  it('is the same to the bit when it died at any write, each leaving the old file or the new', async () => {
    // Every write of the run is the last one of a life in turn.
    const { directory } = whole;
    const expected = await outcome(directory);
    for (let life = 1; ; life += 3) {
      const files = memoryDirectory();
      let writes = 0;
      const dying = (): void => {
        if (++writes === life) throw new Error('killed');
      };
      const mortal: WorkDirectory = {
        ...files,
        write: async (name, write) => {
          dying();
          await files.write(name, write);
        },
        append: async (name, text) => {
          dying();
          await files.append(name, text);
        },
      };
      const died = await runToEnd({ ...(await options()), directory: mortal }).then(
        () => false,
        (error: Error) => error.message === 'killed',
      );
      if (!died) break;
      await runToEnd({ ...(await options()), directory: files, resume: true });
      expect(await outcome(files), `after ${life} writes`).toEqual(expected);
    }
  });

  it('that ended has nothing left to do', async () => {
    const { events: rest, result } = await runToEnd({ ...whole, resume: true });
    expect(kinds(rest)).toBe('st');
    expect(result.iteration).toBe(6);
    expect(result.best).toEqual(JSON.parse((await latestState(whole.directory))['ii_training']!).best);
  });
});

const latestState = async (directory: Memory): Promise<Readonly<Record<string, string>>> =>
  (await readSafetensors(bytesSource(await file(directory, 'latest.safetensors')))).metadata;

describe('what a run learns from', () => {
  it('draws as many photos for a step as its passes need', async () => {
    const plan = tinyPlan({ batchSize: 2, accumulate: 3, recipe: { iterations: 2, effectiveBatch: 6 } });
    const run = await options({ plan, validation: null });
    const { events } = await runToEnd(run);
    const state = JSON.parse((await latestState(run.directory))['ii_training']!) as { drawn: number };
    expect(state.drawn).toBe(12);
    expect(events.filter(({ type }) => type === 'iteration')).toHaveLength(2);
    expect(events[0]).toMatchObject({ warnings: [] });
  });

  it('says that the learning rate is not for this batch, and proposes one', async () => {
    const plan = tinyPlan({ recipe: { iterations: 1, effectiveBatch: 16, lr: 6e-5 } });
    const { events } = await runToEnd(await options({ plan, validation: null }));
    expect(events[0]).toMatchObject({
      warnings: [
        "the effective batch is 2 (2 × 1) and the recipe's learning rate of 0.00006 is for 16: set lr 0.0000075 with effectiveBatch 2, or accumulate 8 for the recipe's batch",
      ],
    });
  });

  it('leaves frozen stages as they are', async () => {
    const plan = tinyPlan({ frozenStages: 2, recipe: { iterations: 3, lr: 0.01 } });
    const run = await options({ plan, validation: null });
    await runToEnd(run);
    const start = new UperNet(plan.model);
    start.initialize(device, plan.seed);
    const { tensors } = await readSafetensors(bytesSource(await file(run.directory, 'latest.safetensors')));
    const changed: string[] = [];
    for (const [name, tensor] of start.stateDict()) {
      const [before, after] = [await toFloat32(tensor), await toFloat32(tensors.get(name)!)];
      if (before.some((value, i) => value !== after[i])) changed.push(name);
    }
    start.dispose();
    expect(changed.filter((name) => /^backbone\.(patch_embed|levels\.[01])\./.test(name))).toEqual([]);
    const groups = ['backbone.levels.2.', 'backbone.levels.3.', 'decode_head.', 'auxiliary_head.'];
    for (const group of groups)
      expect(
        changed.some((name) => name.startsWith(group)),
        group,
      ).toBe(true);
  });

  it("takes a classification model's backbone, or a segmentation model but for its classes", async () => {
    const source = new UperNet({ ...tinyModel, numClasses: 7 });
    source.initialize(device, 99);
    const segmentor: StateDict = new Map(
      await Promise.all(
        [...source.stateDict()].map(
          async ([name, tensor]) =>
            [name, storedTensor(Float32Array.from(await toFloat32(tensor)), tensor.shape)] as const,
        ),
      ),
    );
    const backbone = new Map(
      [...segmentor].flatMap(([name, tensor]) =>
        name.startsWith('backbone.') ? [[name.slice(9), tensor] as const] : [],
      ),
    );
    backbone.set('head.weight', storedTensor(new Float32Array(4), [2, 2]));
    source.dispose();

    const plan = tinyPlan({ recipe: { iterations: 1, lr: 1e-12 } });
    const startOf = async (tensors: StateDict): Promise<{ warnings: readonly string[]; state: StateDict }> => {
      const run = await options({ plan, validation: null, weights: { tensors, name: 'start.pth' } });
      const { events } = await runToEnd(run);
      const { tensors: state } = await readSafetensors(bytesSource(await file(run.directory, 'latest.safetensors')));
      return { warnings: (events[0] as { warnings: readonly string[] }).warnings, state };
    };
    const near = async (state: StateDict, name: string): Promise<boolean> => {
      const [found, expected] = [await toFloat32(state.get(name)!), await toFloat32(segmentor.get(name)!)];
      return found.length === expected.length && found.every((value, i) => Math.abs(value - expected[i]!) < 1e-6);
    };
    const stem = 'backbone.patch_embed.conv1.weight';
    const head = 'decode_head.fpn_bottleneck.conv.weight';
    const fromSegmentor = await startOf(segmentor);
    expect(fromSegmentor.warnings).toEqual([
      'start.pth does not fit decode_head.conv_seg and auxiliary_head.conv_seg, which start from random values',
    ]);
    expect([await near(fromSegmentor.state, stem), await near(fromSegmentor.state, head)]).toEqual([true, true]);
    const fromBackbone = await startOf(backbone);
    expect(fromBackbone.warnings).toEqual([]);
    expect([await near(fromBackbone.state, stem), await near(fromBackbone.state, head)]).toEqual([true, false]);

    backbone.delete('levels.3.norm.0.bias');
    await expect(startOf(backbone)).rejects.toThrow('levels.3.norm.0.bias');
    await expect(startOf(new Map([['conv1.weight', storedTensor(new Float32Array(4))]]))).rejects.toThrow(
      "'start.pth' has no InternImage backbone: expected names such as levels.0.blocks.0.dcn.offset.weight, found conv1.weight",
    );
  });
});

describe('what a run refuses', () => {
  const failure = async (changes: Partial<TrainOptions>): Promise<Error> =>
    runToEnd(await options(changes)).then(
      () => new Error('it ran'),
      (error: Error) => error,
    );

  /** Samples of the data set, changed. */
  async function altered(
    change: (sample: { image: Float32Array; labels: Uint8Array }, index: number) => void,
  ): Promise<Partial<TrainOptions>> {
    return {
      load: async ({ index }): Promise<Sample> => {
        const image = new Float32Array(32 * 32 * 3).map((_, i) => Math.sin(i + index));
        const labels = new Uint8Array(32 * 32).fill(1);
        change({ image, labels }, index);
        return {
          name: `photo ${index}`,
          image: ndarray(image, [32, 32, 3]),
          labels: ndarray(labels, [32, 32]),
          originalSize: [32, 32],
        };
      },
      validation: null,
    };
  }

  it('one image in a pass, before it starts', async () => {
    const plan = tinyPlan({ batchSize: 1, accumulate: 16, recipe: { effectiveBatch: 16 } });
    const error = await failure({ plan });
    expect(error).toBeInstanceOf(BatchError);
    expect(error.message).toBe(
      'batchSize is 1, and batch norm behind the pyramid pooling over 1×1 would have one value per channel: use batchSize 2 or more, with accumulate 8 for an effective batch of 16, or train in several processes with synchronised statistics',
    );
  });

  it('a label outside the classes', async () => {
    const error = await failure(await altered(({ labels }) => (labels[5] = 4)));
    expect(error).toBeInstanceOf(BatchError);
    expect(error.message).toMatch(
      /^label 4 in the annotations of photo \d, photo \d; the model has 4 classes: expected 0 to 3, or 255 where ignored$/,
    );
  });

  it('batches without a labelled pixel: some are left out, ten in a row are too many', async () => {
    const none = await failure(await altered(({ labels }) => labels.fill(255)));
    expect(none).toBeInstanceOf(BatchError);
    expect(none.message).toMatch(
      /^no labelled pixel in a batch of photo \d, photo \d: all are 255.*; so were the 9 batches before/,
    );
    const some = await options(await altered(({ labels }, index) => index < 4 && labels.fill(255)));
    const { events, result } = await runToEnd({ ...some, plan: tinyPlan({ seed: 4, recipe: { iterations: 8 } }) });
    expect(result.iteration).toBe(8);
    const warnings = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
    expect(warnings.length).toBeGreaterThan(0);
    for (const message of warnings)
      expect(message).toMatch(/^left out: no labelled pixel in a batch of photo [0-3], photo [0-3]:/);
  });

  it('a NaN in the data, and names the first kernel that has it when asked to', async () => {
    const broken = await altered(({ image }, index) => index === 3 && (image[100] = Number.NaN));
    const plan = tinyPlan({ recipe: { iterations: 12, checkpointEvery: 1 } });
    const run = await options({ ...broken, plan });
    const error = await runToEnd(run).then(
      () => new Error('it ran'),
      (reason: Error) => reason,
    );
    expect(error).toBeInstanceOf(NotFiniteError);
    expect(error.message).toMatch(
      /^iteration \d+: the loss is NaN \(photos .*photo 3.*\); train with --check-numerics/,
    );
    // The checkpoint is the one before.
    const failed = Number(/^iteration (\d+)/.exec(error.message)![1]);
    if (failed > 1) {
      const { tensors, metadata } = await readSafetensors(bytesSource(await file(run.directory, 'latest.safetensors')));
      expect(JSON.parse(metadata['ii_training']!)).toMatchObject({ iteration: failed - 1 });
      for (const tensor of tensors.values()) expect((await toFloat32(tensor)).every(Number.isFinite)).toBe(true);
    }
    const named = await failure({ ...broken, plan, checkNumerics: true });
    expect(named.message).toMatch(
      /^iteration \d+ \(photos .*photo 3.*\): NaN or infinity: first seen in input 'x' \[2, 32, 32, 3\] of kernel/,
    );
  });

  it('to begin over another run, or to go on with one of another model or other data', async () => {
    const plan = tinyPlan({ recipe: { iterations: 1 } });
    const run = await options({ plan, validation: null });
    await runToEnd(run);
    await expect(runToEnd(run)).rejects.toThrow(
      'memory:latest.safetensors holds a run of 1 iterations: go on with it (--resume), or give another work directory',
    );
    const other = tinyPlan({ model: { ...tinyModel, backbone: { ...tinyModel.backbone, channels: 16 } } });
    const error = await runToEnd({ ...run, plan: other, resume: true }).catch((reason: Error) => reason);
    expect(error).toBeInstanceOf(ResumeError);
    expect((error as Error).message).toBe(
      'memory:latest.safetensors is of another run: model.backbone.channels is 8 there and 16 here; go on with the configuration of that run, or give another work directory',
    );
    await expect(runToEnd({ ...run, dataset: await pairs('training', 5), resume: true })).rejects.toThrow(
      'its data has 6 photos, this one 5',
    );
    const longer = tinyPlan({ recipe: { iterations: 2 } });
    const { events, result } = await runToEnd({ ...run, plan: longer, resume: true });
    expect(events[0]).toMatchObject({
      warnings: ['the run goes on with another configuration: recipe.iterations is 1 there and 2 here'],
    });
    expect(result.iteration).toBe(2);
  });

  it('a checkpoint that is something else', async () => {
    const directory = memoryDirectory();
    const bytes = await encodeSafetensors(new Map([['x', storedTensor(new Float32Array(1))]]));
    await directory.write('latest.safetensors', async (sink) => sink.write(bytes));
    const error = await failure({ directory, resume: true });
    expect(error).toBeInstanceOf(IIError);
    expect(error.message).toBe(
      "memory:latest.safetensors is no checkpoint of a training run: its metadata has no 'ii_training'",
    );
  });
});

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { countModel, findModel, getModel, officialModels, UnknownModelError, zooModels } from '../src/index.js';

interface Counts {
  params: number;
  flops: Record<string, number>;
}

const counts: Record<string, Counts> = JSON.parse(
  readFileSync(new URL('fixtures/zoo/counts.json', import.meta.url), 'utf8'),
);

interface Training {
  readonly lr: number;
  readonly layerDecay: number;
  readonly numLayers: number;
  readonly gradientClip: number | null;
  readonly effectiveBatch: number;
  readonly crop: number;
  readonly scale: readonly [number, number];
  readonly dropPathRate: number;
}

const trainings: Record<string, Training> = JSON.parse(
  readFileSync(new URL('fixtures/zoo/training.json', import.meta.url), 'utf8'),
);

describe('the official models', () => {
  it.each(Object.entries(counts))('%s has the #param and FLOPs of the table, exactly', (letter, { params, flops }) => {
    const model = getModel(letter);
    for (const [input, expected] of Object.entries(flops)) {
      const size = input.split('x').map(Number) as [number, number];
      expect(countModel(model.config, size), input).toEqual({ params, flops: expected });
    }
  });

  it.each(officialModels.map((model) => [model.name, model] as const))(
    '%s agrees with what was published',
    (_, model) => {
      const { params, flops } = countModel(model.config, model.flopsInput);
      const millions = params / 1e6;
      const text = millions < 1000 ? `${Math.round(millions)}M` : `${(millions / 1000).toFixed(2)}B`;
      expect(text).toBe(model.published!.params);
      // The table cuts some of its numbers and rounds others.
      expect([`${Math.round(flops / 1e9)}G`, `${Math.trunc(flops / 1e9)}G`]).toContain(model.published!.flops);
    },
  );

  it('have the inputs and scales of their sizes', () => {
    expect(officialModels.map(({ name, resolution, testScale }) => [name, resolution[0], ...testScale])).toEqual([
      ['internimage-t', 512, 2048, 512],
      ['internimage-s', 512, 2048, 512],
      ['internimage-b', 512, 2048, 512],
      ['internimage-l', 640, 2560, 640],
      ['internimage-xl', 640, 2560, 640],
      ['internimage-h', 896, 3584, 896],
    ]);
  });

  it.each(Object.entries(trainings))('%s is trained by the official configuration', (letter, expected) => {
    const model = getModel(letter);
    const { backbone } = model.config;
    const { recipe, imagesPerGpu } = model.training!;
    expect({
      lr: recipe.lr,
      layerDecay: recipe.layerDecay,
      numLayers: backbone.depths.reduce((sum, depth) => sum + depth, 0),
      gradientClip: recipe.gradientClip,
      effectiveBatch: recipe.effectiveBatch,
      crop: recipe.crop[0],
      scale: recipe.scale,
      dropPathRate: backbone.dropPathRate,
    }).toEqual(expected);
    expect(recipe).toMatchObject({
      iterations: 160_000,
      warmupIterations: 1500,
      warmupRatio: 1e-6,
      power: 1,
      minLr: 0,
    });
    expect(recipe).toMatchObject({ weightDecay: 0.05, beta1: 0.9, beta2: 0.999, eps: 1e-8 });
    expect([imagesPerGpu, backbone.withCp]).toEqual(letter === 'H' ? [1, true] : [2, false]);
  });

  it('name their files by one stem', () => {
    expect(getModel('xl').files).toEqual({
      config:
        'https://github.com/OpenGVLab/InternImage/blob/master/segmentation/configs/ade20k/upernet_internimage_xl_640_160k_ade20k.py',
      checkpoint:
        'https://huggingface.co/OpenGVLab/InternImage/resolve/main/upernet_internimage_xl_640_160k_ade20k.pth',
      log: 'https://huggingface.co/OpenGVLab/InternImage/raw/main/upernet_internimage_xl_640_160k_ade20k.log.json',
    });
  });
});

describe('names', () => {
  it.each(['T', 't', 'internimage-t', 'InternImage-T', 'internimage_t', 'upernet_internimage_t_512_160k_ade20k'])(
    'finds T as %s',
    (name) => expect(findModel(name)?.name).toBe('internimage-t'),
  );

  it('has no name twice', () => {
    const all = zooModels.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(all).size).toBe(all.length);
  });

  it('suggests what a mistyped name may have meant', () => {
    const failure = (name: string): UnknownModelError => {
      try {
        getModel(name);
      } catch (error) {
        if (error instanceof UnknownModelError) return error;
      }
      throw new Error('no UnknownModelError');
    };
    expect(failure('internimage-tt').suggestions[0]).toBe('internimage-t');
    expect(failure('intrenimage-xl').message).toMatch(/did you mean internimage-xl or /);
    expect(failure('upernet_internimage_h_896_160_ade20k').suggestions[0]).toBe('internimage-h');
    expect(failure('resnet50-deeplab').message).toBe(
      "unknown model 'resnet50-deeplab'; known are internimage-t, internimage-s, internimage-b, internimage-l, internimage-xl, internimage-h, demo",
    );
  });

  it('says what the demonstration model is', () => {
    expect(getModel('demo').note).toMatch(/trained on drawings .* 25 of the 150 classes/);
  });
});

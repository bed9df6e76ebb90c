import { describe, expect, it } from 'vitest';
import { FormatError } from '@ii/tensor';
import { ConfigFileError, getModel } from '../../src/index.js';
import { batchWarning, parseTrainingFile, planTraining } from '../../src/training/index.js';

describe('a training file', () => {
  it('without a word is the official recipe of T', () => {
    const { options, weights, data } = parseTrainingFile('{}');
    expect([weights, data]).toEqual([null, {}]);
    const plan = planTraining(options);
    const { config, training, testScale } = getModel('T');
    expect(plan).toMatchObject({ model: config, recipe: training!.recipe, testScale, batchSize: 2, accumulate: 1 });
    expect(plan.classNames).toHaveLength(150);
    expect(plan.transforms.map(({ type }) => type)).toEqual([
      ...['resize', 'randomCrop', 'randomFlip', 'photometricDistortion', 'normalize', 'pad'],
    ]);
    expect(batchWarning(plan)).toMatch(/^the effective batch is 2 \(2 × 1\).*set lr 0.0000075 with effectiveBatch 2/);
    expect(batchWarning(planTraining({ accumulate: 8 }))).toBeNull();
  });

  it('takes the recipe of its model, and gives both heads its classes', () => {
    const text = JSON.stringify({
      model: 'H',
      classNames: ['a', 'b'],
      recipe: { iterations: 100, warmupIterations: 10 },
    });
    const { model, recipe, transforms } = planTraining(parseTrainingFile(text).options);
    expect(model).toMatchObject({ numClasses: 2, backbone: { withCp: true, dropPathRate: 0.5 } });
    expect(recipe).toMatchObject({ iterations: 100, lr: 2e-5, layerDecay: 0.95, gradientClip: 0.1, crop: [896, 896] });
    expect(transforms[1]).toEqual({ type: 'randomCrop', size: [896, 896], catMaxRatio: 0.75 });
  });

  it.each([
    ['{', FormatError, /^'own.json' is not JSON/],
    [
      '{"modl": "T"}',
      ConfigFileError,
      "'own.json' is not a training configuration: unknown key 'modl'; did you mean 'model'?",
    ],
    ['{"model": "Q"}', ConfigFileError, "unknown model 'Q'"],
    [
      '{"model": {"backbone": {"channels": 16, "depths": [1], "groups": [1], "depth": 1}}}',
      ConfigFileError,
      "unknown key 'model.backbone.depth'; did you mean 'depths'?",
    ],
    ['{"recipe": {"lr": 0}}', ConfigFileError, 'recipe.lr: expected more than 0, got 0'],
    ['{"recipe": {"iterations": 10.5}}', ConfigFileError, 'recipe.iterations: expected a whole number, got 10.5'],
    ['{"classNames": ["a"], "numClasses": 2}', ConfigFileError, 'numClasses is 2, but classNames has 1 names'],
    ['{"transforms": [{"type": "blur"}]}', ConfigFileError, 'transforms[0]: expected a type of resize'],
    ['{"data": {"labels": "rgb"}}', ConfigFileError, 'data.labels: expected'],
  ])('%s is refused', (text, kind, message) => {
    expect(() => parseTrainingFile(text, 'own.json')).toThrow(kind);
    expect(() => parseTrainingFile(text, 'own.json')).toThrow(message);
  });
});

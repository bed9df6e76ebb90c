import { bytesSource } from '@ii/tensor';
import { resolveInternImageConfig } from '@ii/backbone';
import { resolveUperNetConfig, UperNet, type UperNetConfig } from '@ii/upernet';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inferConfig, officialModels, openCheckpoint, UnknownCheckpointError } from '../src/index.js';
import { checkpointOf, shapesOf, tinyConfig } from './support.js';

const resolved = (config: UperNetConfig): object => ({
  ...resolveUperNetConfig(config),
  backbone: resolveInternImageConfig(config.backbone),
});

const sizes = (config: UperNetConfig): object => Array.from(shapesOf(config), ([name, { shape }]) => [name, shape]);

const tinyL: UperNetConfig = {
  backbone: { channels: 16, depths: [1, 2, 3, 1], groups: [1, 2, 4, 8], layerScale: 1, offsetScale: 2, postNorm: true },
  decodeHead: { channels: 24 },
  auxiliaryHead: { channels: 8, numConvs: 2, inIndex: 1 },
  numClasses: 19,
};

const tinyH: UperNetConfig = {
  backbone: {
    channels: 16,
    depths: [1, 1, 6, 1],
    groups: [2, 4, 8, 16],
    mlpRatio: 2.5,
    dwKernelSize: 5,
    resPostNorm: true,
    level2PostNormBlockIds: [1, 4],
    centerFeatureScale: true,
  },
  auxiliaryHead: null,
  numClasses: 7,
};

/** The text that mmsegmentation stores, in its usual wording. */
const pythonText = (values: string): string => `norm_cfg = dict(type='SyncBN', requires_grad=True)
model = dict(
    type='EncoderDecoder',
    pretrained=None,
    backbone=dict(
        type='InternImage', core_op='DCNv3', channels=16, norm_layer='LN', ${values}, with_cp=False,
        out_indices=(0, 1, 2, 3)),
    decode_head=dict(type='UPerHead', in_index=[0, 1, 2, 3], pool_scales=(1, 2, 3, 6), channels=512))
test_pipeline = [dict(type='MultiScaleFlipAug', img_scale=(1024, 256), flip=False)]
`;

describe('official shapes', () => {
  it.each(officialModels.map((model) => [model.name, model] as const))('%s is recognised', (_, model) => {
    const inferred = inferConfig(shapesOf(model.config));
    expect(resolved(inferred.config)).toEqual(
      resolved({ ...model.config, backbone: { ...model.config.backbone, withCp: false } }),
    );
    expect(inferred.model?.name).toBe(model.name);
    expect(inferred.testScale).toEqual(model.testScale);
    expect(inferred.sources['backbone.offsetScale']).toBe(`model ${model.name}`);
    expect(inferred.sources['backbone.depths']).toBe('shapes');
  });

  it('keeps the offset scale for other classes and another head', () => {
    const { config } = officialModels.find(({ name }) => name === 'internimage-l')!;
    const inferred = inferConfig(
      shapesOf({ ...config, numClasses: 21, decodeHead: { channels: 256 }, auxiliaryHead: null }),
    );
    expect(inferred.config.backbone.offsetScale).toBe(2);
    expect(inferred.config.numClasses).toBe(21);
    expect(inferred.config.decodeHead?.channels).toBe(256);
    expect(inferred.config.auxiliaryHead).toBeNull();
  });
});

describe('other shapes with the text of mmsegmentation', () => {
  it.each([
    ['T', tinyConfig, 'layer_scale=1.0, offset_scale=1.0, post_norm=False'],
    ['L', tinyL, 'layer_scale=1.0, offset_scale=2.0, post_norm=True'],
    [
      'H',
      tinyH,
      'layer_scale=None, offset_scale=1.0, post_norm=False, res_post_norm=True, level2_post_norm=True, level2_post_norm_block_ids=[1, 4], center_feature_scale=True',
    ],
  ])('tells a model of the %s kind', (_, config, values) => {
    const inferred = inferConfig(shapesOf(config), { meta: { config: pythonText(values) } });
    expect(resolved(inferred.config)).toEqual(resolved(config));
    expect(inferred.model).toBeNull();
    expect(inferred.sources['backbone.offsetScale']).toBe('meta.config');
    expect(inferred.testScale).toEqual([1024, 256]);
  });

  it('takes the training values from it, too', () => {
    const meta = { config: pythonText('drop_path_rate=0.35, layer_scale=1e-5, offset_scale=.5') };
    const { config, sources } = inferConfig(shapesOf(tinyConfig), { meta });
    expect(config.backbone).toMatchObject({ dropPathRate: 0.35, layerScale: 1e-5, offsetScale: 0.5 });
    expect(sources['backbone.dropPathRate']).toBe('meta.config');
  });

  it.each([
    ['another key that ends alike', 'my_offset_scale=3.0'],
    ['a comment', "type='x', # offset_scale=3.0\n"],
    ['two values', 'offset_scale=1.0), old=dict(offset_scale=2.0'],
    ['an expression', 'offset_scale=2.0.__class__'],
    ['a name', 'offset_scale=scale'],
  ])('does not take %s for the offset scale', (_, values) => {
    expect(() => inferConfig(shapesOf(tinyConfig), { meta: { config: pythonText(values) }, name: 'own.pth' })).toThrow(
      /cannot tell offsetScale of 'own\.pth': .* pass --config/,
    );
  });

  it('asks for the places of the level-2 norms when their number does not fit', () => {
    const meta = { config: pythonText('offset_scale=1.0, post_norm=False, level2_post_norm_block_ids=[1, 2, 3]') };
    expect(() => inferConfig(shapesOf(tinyH), { meta })).toThrow(
      /cannot tell level2PostNormBlockIds .* 2 blocks of the third stage/,
    );
  });

  it('knows any mix of options again', () => {
    const options = fc.record({
      channels: fc.constantFrom(8, 16, 24),
      depths: fc.tuple(...[1, 2, 3, 4].map(() => fc.integer({ min: 1, max: 3 }))),
      groups: fc.constantFrom([1, 2, 4, 8], [2, 2, 2, 2], [4, 8, 16, 32]),
      mlpRatio: fc.constantFrom(1, 2, 3.7, 4),
      layerScale: fc.constantFrom(null, 1),
      postNorm: fc.boolean(),
      dwKernelSize: fc.constantFrom(null, 5, 7),
      resPostNorm: fc.boolean(),
      centerFeatureScale: fc.boolean(),
      level2PostNormBlockIds: fc.constantFrom(null, [0]),
      outIndices: fc.constantFrom([0, 1, 2, 3], [1, 2, 3], [0, 3]),
    });
    const heads = fc.record({
      channels: fc.constantFrom(8, 12),
      numConvs: fc.integer({ min: 1, max: 3 }),
      inIndex: fc.integer({ min: 0, max: 1 }),
      numClasses: fc.integer({ min: 1, max: 300 }),
    });
    fc.assert(
      fc.property(options, heads, (backbone, { channels, numConvs, inIndex, numClasses }) => {
        const config = {
          backbone,
          decodeHead: { channels },
          auxiliaryHead: { channels, numConvs, inIndex },
          numClasses,
        };
        const text = `offset_scale=1.0, post_norm=${backbone.postNorm ? 'True' : 'False'}, level2_post_norm_block_ids=[0]`;
        const inferred = inferConfig(shapesOf(config), { meta: { config: pythonText(text) } });
        // Hidden sizes are cut to whole numbers, so that several ratios give the same model.
        const { mlpRatio } = inferred.config.backbone;
        expect(resolved(inferred.config)).toEqual(
          resolved({ ...config, backbone: { ...backbone, mlpRatio: mlpRatio! } }),
        );
        expect(sizes(inferred.config)).toEqual(sizes(config));
      }),
      { numRuns: 60 },
    );
  });
});

describe('other checkpoints', () => {
  const named = (...names: readonly string[]) =>
    new Map(
      names.map((name) => [name, { dtype: 'f32' as const, shape: [1, 1], bytes: async () => new Uint8Array(4) }]),
    );

  it.each([
    [['layer1.0.conv1.weight', 'fc.weight'], /looks like a ResNet/],
    [['backbone.stages.0.blocks.0.attn.w_msa.relative_position_bias_table'], /looks like a Swin Transformer/],
    [['blocks.0.attn.qkv.weight', 'pos_embed'], /looks like a Vision Transformer/],
    [['levels.0.blocks.0.dcn.offset_mask.weight'], /looks like a FlashInternImage \(DCNv4\)/],
    [['a.weight', 'a.bias', 'b'], /looks like something else, with a\.\* \(2 tensors\), b;/],
    [
      ['patch_embed.conv1.weight', 'levels.0.blocks.0.dcn.offset.weight', 'head.weight'],
      /holds only an InternImage backbone, as the classification models do/,
    ],
    [
      ['backbone.levels.0.blocks.0.dcn.offset.weight', 'rpn_head.x', 'bbox_head.x'],
      /no decode_head \(its other parts are rpn_head, bbox_head\)/,
    ],
    [['backbone.levels.0.blocks.0.dcn.offset.weight', 'decode_head.pixel_decoder.x'], /decode head of Mask2Former/],
  ])('%j is described', (names, message) => {
    expect(() => inferConfig(named(...names), { name: 'x.pth' })).toThrow(UnknownCheckpointError);
    expect(() => inferConfig(named(...names), { name: 'x.pth' })).toThrow(message);
  });

  it('leaves a missing tensor to the loader, which names it', () => {
    const { config } = officialModels[0]!;
    const tensors = shapesOf(config);
    for (const gone of ['backbone.levels.2.blocks.3.dcn.mask.weight', 'decode_head.fpn_convs.1.bn.weight'])
      tensors.delete(gone);
    expect(inferConfig(tensors).model?.name).toBe('internimage-t');
  });

  it('names a tensor that it cannot do without', () => {
    const tensors = shapesOf(tinyConfig);
    tensors.delete('decode_head.conv_seg.weight');
    expect(() => inferConfig(tensors, { name: 'x.pth' })).toThrow(/'x\.pth' lacks 'decode_head\.conv_seg\.weight'/);
  });

  it('refuses channels that do not double', () => {
    const tensors = shapesOf(tinyConfig);
    tensors.set('backbone.levels.2.blocks.0.dcn.input_proj.weight', {
      dtype: 'f32',
      shape: [65, 65],
      bytes: async () => new Uint8Array(),
    });
    expect(() => inferConfig(tensors)).toThrow(/16, 32, 65, 128 channels, which do not double/);
  });
});

describe('files', () => {
  it('works on a safetensors file whose metadata keep the text', async () => {
    const bytes = await checkpointOf(tinyL, 1, { metadata: { config: pythonText('offset_scale=2.0') } });
    const checkpoint = await openCheckpoint(bytesSource(bytes, 'tiny.safetensors'));
    const { config } = inferConfig(checkpoint.tensors, checkpoint);
    expect(resolved(config)).toEqual(resolved(tinyL));
    expect(new UperNet(config).parameterCount()).toBe(new UperNet(tinyL).parameterCount());
  });

  it('says that a .pth with too few tensors is incomplete', async () => {
    const url = new URL('fixtures/pth/mmseg_numpy_meta.pth', import.meta.url);
    const { tensors, name } = await openCheckpoint(bytesSource(readFileSync(url), 'few.pth'));
    expect(() => inferConfig(tensors, { name })).toThrow(/'few\.pth' is not an InternImage segmentation model/);
  });
});

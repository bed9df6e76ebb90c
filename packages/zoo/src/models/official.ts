/**
 * UPerNet with InternImage T to H on ADE20K, as `segmentation/README.md` of the InternImage repository lists them; the
 * configurations are those of `segmentation/configs/ade20k`. All were trained for 160,000 iterations on A100 GPUs.
 */
import { variants, type Variant } from '@ii/backbone';
import type { InputSize, PublishedResults, TestScale, ZooModel } from './model.js';
import { officialRecipe } from './training-recipe.js';

interface Row extends PublishedResults {
  readonly variant: Variant;
  /** Side of the training crops. */
  readonly crop: number;
  readonly testScale: TestScale;
  readonly flopsInput: InputSize;
  /** Whether the training recomputes activations in the backward pass. */
  readonly withCp: boolean;
  /** null: the rate is the same for all layers, and gradients are not clipped. */
  readonly layerDecay: number | null;
  readonly imagesPerGpu: number;
  /** Stem of the classification checkpoint that the backbone starts from. */
  readonly start: string;
}

// prettier-ignore
const TABLE: readonly Row[] = [
  { variant: 'T', crop: 512, testScale: [2048, 512], flopsInput: [512, 2048], withCp: false,
    layerDecay: null, imagesPerGpu: 2, start: 'internimage_t_1k_224',
    params: '59M', flops: '944G', mIoU: { ss: 47.9, ms: 48.1 }, trainSpeed: 0.23, trainTime: '10.5h' },
  { variant: 'S', crop: 512, testScale: [2048, 512], flopsInput: [512, 2048], withCp: false,
    layerDecay: null, imagesPerGpu: 2, start: 'internimage_s_1k_224',
    params: '80M', flops: '1017G', mIoU: { ss: 50.1, ms: 50.9 }, trainSpeed: 0.25, trainTime: '11.5h' },
  { variant: 'B', crop: 512, testScale: [2048, 512], flopsInput: [512, 2048], withCp: false,
    layerDecay: null, imagesPerGpu: 2, start: 'internimage_b_1k_224',
    params: '128M', flops: '1185G', mIoU: { ss: 50.8, ms: 51.3 }, trainSpeed: 0.26, trainTime: '12h' },
  { variant: 'L', crop: 640, testScale: [2560, 640], flopsInput: [640, 2560], withCp: false,
    layerDecay: 0.94, imagesPerGpu: 2, start: 'internimage_l_22k_192to384',
    params: '256M', flops: '2526G', mIoU: { ss: 53.9, ms: 54.1 }, trainSpeed: 0.42, trainTime: '19h' },
  { variant: 'XL', crop: 640, testScale: [2560, 640], flopsInput: [640, 2560], withCp: false,
    layerDecay: 0.94, imagesPerGpu: 2, start: 'internimage_xl_22k_192to384',
    params: '368M', flops: '3142G', mIoU: { ss: 55.0, ms: 55.3 }, trainSpeed: 0.47, trainTime: '22h' },
  { variant: 'H', crop: 896, testScale: [3584, 896], flopsInput: [896, 896], withCp: true,
    layerDecay: 0.95, imagesPerGpu: 1, start: 'internimage_h_jointto22k_384',
    params: '1.12B', flops: '3566G', mIoU: { ss: 59.9, ms: 60.3 }, trainSpeed: 0.94, trainTime: '2d (2n)' },
];

const WEIGHTS = 'https://huggingface.co/OpenGVLab/InternImage';
const CONFIGS = 'https://github.com/OpenGVLab/InternImage/blob/master/segmentation/configs/ade20k';

function zooModel(row: Row): ZooModel {
  const { variant, crop, testScale, flopsInput, withCp, layerDecay, imagesPerGpu, start, ...published } = row;
  const letter = variant.toLowerCase();
  const stem = `upernet_internimage_${letter}_${crop}_160k_ade20k`;
  return {
    name: `internimage-${letter}`,
    aliases: [letter, stem],
    title: `UPerNet InternImage-${variant}`,
    config: {
      backbone: { ...variants[variant], withCp },
      decodeHead: { channels: 512, poolScales: [1, 2, 3, 6], dropoutRatio: 0.1 },
      auxiliaryHead: { inIndex: 2, channels: 256, numConvs: 1, lossWeight: 0.4, dropoutRatio: 0.1 },
      numClasses: 150,
    },
    resolution: [crop, crop],
    testScale,
    flopsInput,
    published,
    training: {
      recipe: officialRecipe(crop, testScale, layerDecay),
      imagesPerGpu,
      backbone: `${WEIGHTS}/resolve/main/${start}.pth`,
    },
    files: {
      config: `${CONFIGS}/${stem}.py`,
      checkpoint: `${WEIGHTS}/resolve/main/${stem}.pth`,
      log: `${WEIGHTS}/raw/main/${stem}.log.json`,
    },
  };
}

/** The six official models, smallest first. */
export const officialModels: readonly ZooModel[] = TABLE.map(zooModel);

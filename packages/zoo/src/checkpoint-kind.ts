/** What the names in a state dict say about the model that it belongs to. */
import { IIError, type StateDict } from '@ii/tensor';

/** A checkpoint whose model cannot be used here, or cannot be told. */
export class UnknownCheckpointError extends IIError {
  constructor(message: string) {
    super('ERR_UNKNOWN_CHECKPOINT', message);
  }
}

/** Names that tell families of models apart. */
const FAMILIES: readonly (readonly [RegExp, string])[] = [
  [/\.dcn\.offset_mask\./, 'a FlashInternImage (DCNv4)'],
  [/attn\.(w_msa\.)?relative_position_bias_table$/, 'a Swin Transformer'],
  [/(^|\.)layer1\.0\.conv1\.weight$/, 'a ResNet'],
  [/stages\.0\.(blocks\.)?0\.(conv_dw|dwconv|depthwise_conv)\./, 'a ConvNeXt'],
  [/patch_embed1\.|block1\.0\.attn\./, 'a SegFormer or PVT (Mix Transformer)'],
  [/(^|\.)(layers|blocks)\.0\.attn\.(qkv|q_proj)\.|(^|\.)cls_token$/, 'a Vision Transformer'],
  [/(^|\.)(self_attn|attention)\.(q_proj|self\.query)\./, 'a language or vision-language Transformer'],
  [/(^|\.)(down_blocks|input_blocks)\.0\./, 'a diffusion U-Net'],
  [/(^|\.)features\.0\.(0\.)?weight$/, 'a VGG, AlexNet or MobileNet'],
];

const BLOCK = /(^|\.)levels\.0\.blocks\.0\.dcn\./;

/**
 * Checks that the names are those of UPerNet on InternImage; says what the checkpoint looks like if not.
 *
 * @param name what messages call the checkpoint.
 * @throws UnknownCheckpointError
 */
export function requireUperNetNames(tensors: StateDict, name: string): void {
  const names = [...tensors.keys()];
  const family = FAMILIES.find(([pattern]) => names.some((key) => pattern.test(key)))?.[1];
  const block = names.find((key) => BLOCK.test(key));
  if (family || !block) {
    const look = family ?? (names.length > 0 ? `something else, with ${summary(names)}` : 'an empty file');
    throw new UnknownCheckpointError(
      `'${name}' is not an InternImage segmentation model: it looks like ${look}; ` +
        'expected names such as backbone.levels.0.blocks.0.dcn.offset.weight and decode_head.conv_seg.weight',
    );
  }
  const heads = [...new Set(names.map((key) => key.split('.')[0]!).filter((part) => part !== 'backbone'))];
  const prefix = block.slice(0, block.search(BLOCK));
  if (!block.startsWith('backbone.levels.')) {
    const what =
      block.startsWith('levels.') || prefix === 'model'
        ? 'holds only an InternImage backbone, as the classification models do'
        : `has its InternImage under '${prefix}.' instead of 'backbone.'`;
    throw new UnknownCheckpointError(
      `'${name}' ${what} (${summary(names)}); it cannot segment: take a segmentation checkpoint with backbone.* and ` +
        'decode_head.* (`ii list` gives the official ones)',
    );
  }
  if (!heads.includes('decode_head')) {
    const found = heads.length > 0 ? `its other parts are ${heads.join(', ')}` : 'it has no other parts';
    throw new UnknownCheckpointError(
      `'${name}' has an InternImage backbone but no decode_head (${found}); a UPerNet segmentation checkpoint is needed`,
    );
  }
  const decoder = names.find((key) => /^decode_head\.(pixel_decoder|transformer_decoder|query_embed)\b/.test(key));
  if (decoder) {
    throw new UnknownCheckpointError(
      `'${name}' has an InternImage backbone with the decode head of Mask2Former ('${decoder}'); only UPerNet is supported`,
    );
  }
}

/** The outermost parts and how many tensors each has. */
function summary(names: readonly string[]): string {
  const parts = new Map<string, number>();
  for (const key of names) {
    const part = key.includes('.') ? `${key.split('.')[0]}.*` : key;
    parts.set(part, (parts.get(part) ?? 0) + 1);
  }
  const listed = [...parts].slice(0, 6).map(([part, count]) => (count > 1 ? `${part} (${count} tensors)` : part));
  return listed.join(', ') + (parts.size > 6 ? `, and ${parts.size - 6} more` : '');
}

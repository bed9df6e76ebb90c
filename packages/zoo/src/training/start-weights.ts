/** The weights that a training run begins with. */
import { IIError, type Device, type StateDict } from '@ii/tensor';
import type { UperNet } from '@ii/upernet';

/** What was taken from a checkpoint. */
export interface StartReport {
  readonly kind: 'backbone' | 'segmentor';
  /** Number of tensors taken. */
  readonly taken: number;
  /** Parts of the model that start from random values. */
  readonly fresh: readonly string[];
}

/** The backbone's own modules; a classification model has others beside them. */
const BACKBONE = /^(?:backbone\.)?((?:patch_embed|levels)\..+)$/;

/** A number of classes shows in these only. */
const CLASSIFIERS = ['decode_head.conv_seg', 'auxiliary_head.conv_seg'] as const;

/**
 * Takes over a checkpoint's weights into a model that has its starting values: of a segmentation model everything, except
 * for classifiers of another number of classes and an auxiliary head that the checkpoint lacks; of a classification model
 * its backbone, every tensor of which must be there.
 *
 * @param name what messages call the checkpoint.
 * @throws StateDictError when the backbone or the head is another.
 * @throws IIError when there is no InternImage backbone in it.
 */
export async function loadStartWeights(
  network: UperNet,
  device: Device,
  tensors: StateDict,
  name = 'the checkpoint',
): Promise<StartReport> {
  const names = [...tensors.keys()];
  if (names.some((key) => key.startsWith('decode_head.'))) return loadSegmentor(network, device, tensors);
  const backbone = new Map(
    [...tensors].flatMap(([key, tensor]) => {
      const own = BACKBONE.exec(key)?.[1];
      return own === undefined ? [] : [[own, tensor] as const];
    }),
  );
  if (backbone.size === 0) {
    const shown = names.slice(0, 3).join(', ');
    throw new IIError(
      'ERR_UNKNOWN_CHECKPOINT',
      `'${name}' has no InternImage backbone: expected names such as levels.0.blocks.0.dcn.offset.weight, found ${shown || 'none'}`,
    );
  }
  await network.backbone.load(device, backbone);
  return {
    kind: 'backbone',
    taken: backbone.size,
    fresh: network.auxiliaryHead ? ['decode_head', 'auxiliary_head'] : ['decode_head'],
  };
}

async function loadSegmentor(network: UperNet, device: Device, tensors: StateDict): Promise<StartReport> {
  const wanted = new Map(network.namedState());
  const otherClasses = CLASSIFIERS.filter((part) => {
    const [stored, own] = [tensors.get(`${part}.weight`), wanted.get(`${part}.weight`)];
    return stored && own && stored.shape[0] !== own.shape[0] && stored.shape[1] === own.shape[1];
  });
  const hasAuxiliary = [...tensors.keys()].some((key) => key.startsWith('auxiliary_head.'));
  const fresh: string[] = [...otherClasses];
  if (network.auxiliaryHead && !hasAuxiliary) fresh.push('auxiliary_head');
  const ignore = network.auxiliaryHead && hasAuxiliary ? otherClasses : [...otherClasses, 'auxiliary_head.'];
  const { missing, misshapen } = await network.load(device, tensors, { ignore });
  return { kind: 'segmentor', taken: wanted.size - missing.length - misshapen.length, fresh };
}

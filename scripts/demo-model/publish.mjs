import { writeFileSync } from 'node:fs';
import { SCENE_CLASS_IDS, SCENE_CLASSES } from '@ii/ade20k';
import { encodeSafetensors, readElements, storedTensor } from '@ii/tensor';
import { openCheckpoint } from '@ii/zoo';

const CLASSES = 150;
/** Logit of a class that was never trained: as unlikely as training on it without examples would make it. */
const UNSEEN = -8;

/**
 * Writes a model of the classes of scenes as one of ADE20K's 150, in half precision. Training on 25 outputs instead of
 * 150 takes half the time, since most of it is the loss at full resolution.
 *
 * @param {string} from @param {string} to
 */
export async function publish(from, to) {
  const checkpoint = await openCheckpoint(from);
  /** @type {Map<string, import('@ii/tensor').StoredTensor>} */
  const tensors = new Map();
  for (const [name, tensor] of checkpoint.tensors) {
    tensors.set(name, name.includes('conv_seg.') ? await widen(tensor) : tensor);
  }
  const metadata = { format: 'pt', trained: 'on drawings: scripts/demo-model/train.mjs of InternImage for TypeScript' };
  writeFileSync(to, await encodeSafetensors(tensors, { dtype: 'f16', metadata }));
  await checkpoint.close();
}

/** The rows of the 25 classes at the places of the 150. @param {import('@ii/tensor').StoredTensor} tensor */
async function widen(tensor) {
  const [rows = 0, ...rest] = tensor.shape;
  if (rows !== SCENE_CLASSES.length) throw new Error(`expected ${SCENE_CLASSES.length} outputs, got ${rows}`);
  const values = await readElements(tensor);
  const width = values.length / rows;
  const wide = new Float32Array(CLASSES * width).fill(rest.length === 0 ? UNSEEN : 0);
  SCENE_CLASSES.forEach((name, row) => {
    for (let i = 0; i < width; i++) wide[SCENE_CLASS_IDS[name] * width + i] = Number(values[row * width + i]);
  });
  return storedTensor(wide, [CLASSES, ...rest]);
}

// A photo through a checkpoint: node examples/node/segment.mjs PHOTO [CHECKPOINT]
import { ADE20K_CLASS_NAMES } from '@ii/ade20k';
import { createUperNet } from '@ii/upernet';
import { inferConfig, openCheckpoint, openDemoCheckpoint } from '@ii/zoo';
import { decodeImage } from '@ii/zoo/node';

const [photo = 'examples/photos/street.jpg', file] = process.argv.slice(2);
const image = await decodeImage(photo);

const checkpoint = file ? await openCheckpoint(file) : await openDemoCheckpoint();
const { config, testScale } = inferConfig(checkpoint.tensors, checkpoint);
const model = await createUperNet(config, { weights: checkpoint.tensors });
await checkpoint.close();
if (!file) console.log('no checkpoint given: a demonstration model, trained on drawings');

const { labels } = await model.segment(image, testScale ? { scale: testScale } : {});
const pixels = new Map();
for (const id of labels.data) pixels.set(id, (pixels.get(id) ?? 0) + 1);
for (const [id, count] of [...pixels].sort((a, b) => b[1] - a[1]).slice(0, 5)) {
  console.log(`${((100 * count) / labels.data.length).toFixed(1).padStart(5)} %  ${ADE20K_CLASS_NAMES[id]}`);
}
model.dispose();

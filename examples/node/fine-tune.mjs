// Fine-tunes a segmentation model on a folder with images/ and annotations/ (PNG, values are class ids, 255 is ignored):
// node examples/node/fine-tune.mjs CHECKPOINT FOLDER class1,class2,… [ITERATIONS]
import { openDataset } from '@ii/ade20k';
import { createDevice } from '@ii/tensor';
import { inferConfig, openCheckpoint, planTraining, train } from '@ii/zoo';
import { nodeAccess, nodeWorkDirectory } from '@ii/zoo/node';

const [file, folder, classes, iterations = '200'] = process.argv.slice(2);
const classNames = classes.split(',');
const dataset = await openDataset({
  ...nodeAccess(folder),
  ...{ images: 'images', annotations: 'annotations', classNames, labels: 'raw' },
});

const checkpoint = await openCheckpoint(file);
const { config } = inferConfig(checkpoint.tensors, checkpoint);
const recipe = { iterations: Number(iterations), warmupIterations: 10, lr: 1e-4, effectiveBatch: 2, crop: [256, 256] };
const plan = planTraining({ model: config, classNames, recipe: { ...recipe, scale: [1024, 256] } });

const device = await createDevice();
const directory = await nodeWorkDirectory('fine-tuned');
// The photos are few: they are evaluated on, too. Give a data set of other photos where there are enough.
for await (const event of train({ plan, device, dataset, validation: dataset, directory, weights: checkpoint })) {
  if (event.type === 'start') for (const warning of event.warnings) console.warn(warning);
  if (event.type === 'iteration') console.log(`${event.iteration}: loss ${event.figures.loss.toFixed(3)}`);
  if (event.type === 'evaluation') console.log(event.report.metrics);
}
await checkpoint.close();
device.dispose();

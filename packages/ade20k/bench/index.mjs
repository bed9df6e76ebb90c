/** The host-side work of training and evaluation, per image, on the built package; one JSON line a case. */
import { ConfusionMatrix, compose, inferenceTransform, syntheticPair, trainTransforms } from '@ii/ade20k';

/** @type {[number, number]} */
const originalSize = [512, 683];
const { image, annotation } = syntheticPair('bench', { size: originalSize });

const sample = { name: 'bench', image, labels: annotation, originalSize };

/**
 * @param {string} name
 * @param {(run: number) => unknown} body
 */
function measure(name, body) {
  for (let run = 0; run < 3; run++) body(run);
  const times = Array.from({ length: 15 }, (_, run) => {
    const started = performance.now();
    body(run);
    return performance.now() - started;
  }).sort((a, b) => a - b);
  const round = (/** @type {number | undefined} */ ms) => Math.round((ms ?? 0) * 100) / 100;
  console.log(JSON.stringify({ bench: name, ms: round(times[0]), medianMs: round(times[7]) }));
}

measure('drawn scene, 160×160', (run) => syntheticPair(`scene ${run}`));
measure('inference transform, 683×512', () => inferenceTransform(image));
for (const config of trainTransforms()) {
  if (config.type === 'pad' || config.type === 'normalize') continue;
  const transform = compose([config]);
  measure(`training transform ${config.type}`, (index) => transform(sample, { seed: 1, epoch: 0, index }));
}
const whole = compose(trainTransforms());
measure('all training transforms', (index) => whole(sample, { seed: 1, epoch: 0, index }));
const matrix = new ConfusionMatrix(150);
measure('confusion matrix, 683×512', () => matrix.update(annotation, annotation));

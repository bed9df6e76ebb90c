/**
 * How fast training samples are made: each step of the official training transforms apart, sharp's own resize beside
 * ours as the yardstick, and the whole loader in images per second, in this thread and with worker threads.
 *
 *     npm run build && npm run bench [-- WORKERS]
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { compose, inProcess, loadBatches, shuffledSampler, trainTransforms } from '@ii/ade20k';
import { resizeLinear } from '@ii/tensor/image';
import { decodeAnnotation, decodeImage, openAde20kFolder, startSampleWorkers } from '@ii/zoo/node';

/** @import { Sample } from '@ii/ade20k' */

const COPIES = 8;
const BATCH = 4;
const maxWorkers = Number(process.argv[2] ?? 2);

/** @param {string} name @param {number} ms of one image */
function report(name, ms) {
  console.log(`${name.padEnd(44)} ${ms.toFixed(2).padStart(8)} ms ${(1000 / ms).toFixed(1).padStart(8)} images/s`);
}

/**
 * Median milliseconds of one call, over at least half a second behind a warm-up.
 *
 * @param {(i: number) => unknown} call
 */
async function measure(call) {
  for (let i = 0; i < 6; i++) await call(i);
  const times = [];
  const end = performance.now() + 1500;
  for (let i = 0; performance.now() < end || times.length < 9; i++) {
    const start = performance.now();
    await call(i);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1] ?? NaN;
}

const samples = fileURLToPath(new URL('../../ade20k/test/fixtures/ade20k-sample/', import.meta.url));
const root = await mkdtemp(join(tmpdir(), 'ii-bench-'));
for (let i = 0; i < 3 * COPIES; i++) {
  const from = `ADE_val_0000000${1 + (i % 3)}`;
  await cp(join(samples, `${from}.jpg`), join(root, `images/training/${i}.jpg`));
  await cp(join(samples, `${from}.png`), join(root, `annotations/training/${i}.png`));
}

try {
  const dataset = await openAde20kFolder(root, 'training');
  const transforms = trainTransforms();
  console.log(`Node ${process.versions.node}, three photos of 683 × 512, 500 × 364 and 400 × 300 pixels in turn`);

  const jpegs = await Promise.all([1, 2, 3].map((n) => readFile(join(samples, `ADE_val_0000000${n}.jpg`))));
  const masks = await Promise.all([1, 2, 3].map((n) => readFile(join(samples, `ADE_val_0000000${n}.png`))));
  const photos = await Promise.all(jpegs.map((bytes) => decodeImage(bytes)));
  report('decode the JPEG', await measure((i) => decodeImage(/** @type {Buffer} */ (jpegs[i % 3]))));
  report('decode the annotation', await measure((i) => decodeAnnotation(/** @type {Buffer} */ (masks[i % 3]), 'mask')));

  /** The middle of the ratio range: 512 pixels on the short side, times 1.25. @param {number} i */
  const target = (i) => {
    const [height = 0, width = 0] = photos[i % 3]?.shape ?? [];
    const factor = 640 / Math.min(height, width);
    return /** @type {const} */ ([Math.round(height * factor), Math.round(width * factor)]);
  };
  const ours = await measure((i) => resizeLinear(/** @type {typeof photos[0]} */ (photos[i % 3]), target(i)));
  const theirs = await measure((i) => {
    const photo = /** @type {typeof photos[0]} */ (photos[i % 3]);
    const [height = 0, width = 0] = photo.shape;
    const [outHeight, outWidth] = target(i);
    return sharp(photo.data, { raw: { width, height, channels: 3 } })
      .resize({ width: outWidth, height: outHeight, fit: 'fill', kernel: 'linear' })
      .raw()
      .toBuffer();
  });
  report('resize the photo to 640 on the short side', ours);
  report('  the same by sharp (not equal to OpenCV)', theirs);

  /** Each transform on what the ones before it give. @type {Sample[]} */
  let inputs = await Promise.all([0, 1, 2].map((index) => dataset.load(index)));
  for (const config of transforms) {
    const step = compose([config]);
    let index = 0;
    const time = await measure((i) =>
      step(/** @type {Sample} */ (inputs[i % 3]), { seed: 1, epoch: 0, index: index++ }),
    );
    report(`transform ${config.type}`, time);
    inputs = inputs.map((sample, i) => step(sample, { seed: 1, epoch: 0, index: i }));
  }

  /** Milliseconds per image of the whole loader. @param {ReturnType<typeof inProcess>} load @param {number} prefetch */
  const throughput = async (load, prefetch) => {
    let [images, start] = [-8 * BATCH, 0];
    for await (const batch of loadBatches({
      sampler: shuffledSampler(dataset.length),
      load,
      prefetch,
      batchSize: BATCH,
    })) {
      images += batch.names.length;
      if (images === 0) start = performance.now();
      if (images > 0 && performance.now() - start > 4000) break;
    }
    return (performance.now() - start) / images;
  };
  report('loader, in this thread', await throughput(inProcess({ dataset, transforms }), 2 * BATCH));
  for (let workers = 1; workers <= maxWorkers; workers *= 2) {
    const pool = startSampleWorkers({ root, dataset, transforms, workers });
    report(`loader, ${workers} worker${workers > 1 ? 's' : ''}`, await throughput(pool.load, 2 * BATCH + 2 * workers));
    await pool.close();
  }
} finally {
  await rm(root, { recursive: true });
}

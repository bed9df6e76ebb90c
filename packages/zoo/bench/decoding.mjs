/** Decoding of photos: a detailed picture of 2048×1536 pixels in each format. */
import sharp from 'sharp';
import { Random } from '@ii/tensor';
import { decodeImage } from '@ii/zoo/node';

const RUNS = 7;
const [height, width] = [1536, 2048];

// Noise over a coarse pattern compresses about as a photo does.
const random = new Random(1);
const pixels = Uint8Array.from({ length: height * width * 3 }, (_, i) => {
  const [x, y] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width)];
  return 128 + 60 * Math.sin(x / 40) * Math.cos(y / 60) + random.uniform(-16, 16);
});
const picture = sharp(pixels, { raw: { width, height, channels: 3 } });

for (const [format, encoded] of Object.entries({
  jpeg: await picture.clone().jpeg({ quality: 90 }).toBuffer(),
  png: await picture.clone().png().toBuffer(),
  webp: await picture.clone().webp({ quality: 80 }).toBuffer(),
})) {
  const times = [];
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    await decodeImage(encoded);
    times.push(performance.now() - start);
  }
  times.sort((a, b) => a - b);
  const [ms = NaN, medianMs = NaN] = [times[0], times[RUNS >> 1]];
  const line = {
    ...{ bench: 'decoding', name: `${format} ${width}×${height}`, bytes: encoded.length, node: process.version },
    ...{ ms: Number(ms.toPrecision(4)), medianMs: Number(medianMs.toPrecision(4)) },
    megapixelsPerSecond: Number(((height * width) / medianMs / 1e3).toPrecision(4)),
  };
  console.log(JSON.stringify(line));
}

import type { Random } from '@ii/tensor';
import { rgbImage, type RgbImage } from '@ii/tensor/image';
import type { Canvas } from './canvas.js';
import { clamp, mix } from './maths.js';

/** The picture as a camera would give it: exposure, contrast, colour, darker corners, grain. */
export function develop({ colours, height, width }: Canvas, random: Random): RgbImage {
  const image = rgbImage([height, width]);
  const exposure = random.uniform(0.9, 1.14);
  const contrast = random.uniform(0, 0.55);
  const saturation = random.uniform(0.75, 1.2);
  const warmth = random.uniform(-0.04, 0.05);
  const vignette = random.uniform(0, 0.3);
  const grain = random.uniform(1, 9);
  const balance = [exposure * (1 + warmth), exposure, exposure * (1 - warmth)];
  for (let y = 0, at = 0; y < height; y++) {
    const dy = (2 * y) / height - 1;
    for (let x = 0; x < width; x++, at += 3) {
      const dx = (2 * x) / width - 1;
      const grey = 0.3 * colours[at]! + 0.59 * colours[at + 1]! + 0.11 * colours[at + 2]!;
      const falloff = 1 - vignette * 0.25 * (dx * dx + dy * dy);
      // One draw gives three independent enough levels of grain.
      const bits = random.bits();
      for (let c = 0; c < 3; c++) {
        const level = clamp((mix(grey, colours[at + c]!, saturation) * balance[c]! * falloff) / 255);
        const curved = mix(level, level * level * (3 - 2 * level), contrast);
        const noise = ((bits >>> (10 * c)) & 1023) / 1023 - 0.5;
        image.data[at + c] = clamp(Math.round(curved * 255 + noise * grain), 0, 255);
      }
    }
  }
  return image;
}

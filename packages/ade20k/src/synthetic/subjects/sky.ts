import { cover, lay, mixed, type Colour } from '../colour.js';
import { rectangle } from '../outlines.js';
import { clamp, ease, mix } from '../maths.js';
import { SCENE_CLASS_IDS } from '../classes.js';
import type { World } from '../world.js';

/** The sky behind everything: a gradient, the sun's glow, and clouds that are flatter towards the horizon. */
export function drawSky({ canvas, camera, light, noise, random, size }: World): void {
  const width = size[1];
  const { zenith, horizon, sun } = light;
  const threshold = mix(0.3, -0.34, light.cloudiness);
  const softness = random.uniform(3, 9);
  const scale = random.uniform(0.7, 1.8);
  const glow: Colour = mixed([255, 244, 222], horizon, 0.3);
  const [sunX, sunY] = [camera.centre + camera.focal * 0.5 * sun[0], camera.horizon - camera.focal * 0.7 * sun[1]];
  const glowing = sun[2] > 0 ? 0.75 * clamp(1.2 - light.cloudiness) : 0;
  canvas.fill(
    // The ground begins at the horizon.
    rectangle(0, 0, width, camera.horizon + 2),
    (x, y, ink) => {
      const up = clamp((camera.horizon - y) / camera.focal, 0, 2);
      lay(ink, zenith);
      cover(ink, horizon, ease(clamp(1 - up / 0.75)));
      if (glowing > 0) {
        const dx = (x - sunX) / camera.focal;
        const dy = (y - sunY) / camera.focal;
        cover(ink, glow, glowing / (1 + 14 * (dx * dx + dy * dy)));
      }
      // A layer of clouds at a height: seen ever more from the side.
      const distance = scale / (up + 0.16);
      const u = ((x - camera.centre) / camera.focal) * distance * 2.2;
      const v = distance * 2.6;
      const density = noise.fractal(u, v, 5) - threshold * 0.5;
      const cloud = clamp(density * softness);
      if (cloud > 0) {
        const lit = clamp(0.62 + 2.4 * (noise.fractal(u + 0.18 * sun[0], v - 0.25, 3) - density * 0.55));
        const opacity = cloud * clamp(0.35 + up * 4) * 0.95;
        cover(ink, light.cloudDark, opacity);
        cover(ink, light.cloudBright, opacity * lit);
      }
    },
    SCENE_CLASS_IDS.sky,
  );
}

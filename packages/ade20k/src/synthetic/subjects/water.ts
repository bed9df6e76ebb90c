import type { Point } from '../canvas.js';
import type { SceneClass } from '../classes.js';
import { cover, lay, mixed, pickColour, type Colour } from '../colour.js';
import { clamp, mix } from '../maths.js';
import { level, type World } from '../world.js';

interface Waves {
  readonly label: SceneClass;
  /** Height of the waves: 0 for a mirror, 1 for a rough sea. */
  readonly rough: number;
  readonly colour: Colour;
}

export const seaColour = ({ random }: World): Colour =>
  pickColour(random, [
    [38, 92, 128],
    [46, 112, 140],
    [60, 128, 140],
    [52, 84, 108],
    [88, 112, 122],
  ]);
export const lakeColour = ({ random }: World): Colour =>
  pickColour(random, [
    [58, 92, 100],
    [64, 102, 116],
    [78, 98, 84],
    [52, 76, 90],
  ]);

/**
 * Water on the ground. It mirrors what the picture already shows above the horizon, so that is drawn before it and
 * things in the water after it.
 */
export function drawWater(world: World, outline: readonly Point[], { label, rough, colour }: Waves): void {
  const { canvas, camera, noise, light } = world;
  const { height, width, colours } = canvas;
  // The mirror must not see what has been painted meanwhile.
  const above = colours.slice(0, 3 * width * Math.min(height, Math.ceil(camera.horizon) + 1));
  const rows = Math.floor(above.length / (3 * width));
  const { focal, horizon, centre } = camera;
  const length = mix(0.5, 2.4, rough);
  const glitter = clamp(light.sunlight[0] * 1.2) * (light.sun[2] > 0 ? 1 : 0.3);
  const sky: Colour = mixed(light.zenith, light.horizon, 0.5);
  world.face(
    level(),
    outline,
    (u, v, pixel, ink) => {
      // Waves are long across the view and short along it.
      const swell = noise.fractal(u / (3.2 * length), v / length, 4, pixel / length);
      const down = (camera.eye * focal) / Math.max(v, 0.5);
      const x = centre + (u * focal) / Math.max(v, 0.5) + swell * rough * 12;
      const row = clamp(Math.round(horizon - down * 0.9 - swell * (2 + rough * 0.25 * height)), 0, rows - 1);
      const column = clamp(Math.floor(x), 0, width - 1);
      const at = 3 * (row * width + column);
      const steep = clamp(down / (0.9 * focal));
      lay(ink, colour, swell * 0.9);
      cover(ink, sky, clamp(0.3 + 0.8 * swell));
      // Seen flat, water mirrors; seen from above, it shows its own colour.
      const mirror = clamp(mix(0.85, 0.25, rough) * (1 - 1.3 * steep));
      cover(ink, [above[at]!, above[at + 1]!, above[at + 2]!], mirror);
      if (rough > 0.35) {
        const crest = noise.fractal(u / (5 * length) + 31, v / (0.8 * length), 4, pixel / length);
        cover(ink, [238, 243, 245], clamp((crest - 0.36 + 0.12 * rough) * 14) * rough);
      }
      const spark =
        noise.fractal(u * 2.5, v * 0.9, 2) *
        clamp(1.3 - Math.abs(x - centre - focal * 0.5 * light.sun[0]) / (0.3 * width));
      cover(ink, [255, 246, 226], clamp((spark - 0.14) * 9) * glitter);
    },
    label,
  );
}

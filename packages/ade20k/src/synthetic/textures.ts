/** Materials. Lengths are in metres; details vanish where a pixel is larger than they are. */
import type { Random } from '@ii/tensor';
import { brighten, cover, lay, mixed, pick, pickColour, scaled, type Colour } from './colour.js';
import { clamp, ease, mix } from './maths.js';
import type { Noise } from './noise.js';
import type { Texture } from './world.js';

/** How far inside a box the point is, 0 to 1 with an edge of one pixel. */
export const inside = (u: number, v: number, halfU: number, halfV: number, pixel: number): number =>
  clamp((halfU - Math.abs(u)) / pixel + 0.5) * clamp((halfV - Math.abs(v)) / pixel + 0.5);

/** One colour. */
export const flat =
  (colour: Colour): Texture =>
  (_u, _v, _pixel, ink) =>
    lay(ink, colour);

/** One colour with uneven patches and fine grain. @param size of the patches. */
export const uneven =
  (noise: Noise, colour: Colour, size: number, strength: number, octaves = 4): Texture =>
  (u, v, pixel, ink) =>
    lay(ink, colour, strength * noise.fractal(u / size, v / size, octaves, pixel / size));

/** Joints of a grid, or of courses that are shifted by half against each other. */
interface Courses {
  readonly width: number;
  readonly height: number;
  readonly joint: number;
  readonly mortar: Colour;
  readonly colours: readonly Colour[];
  readonly shifted: boolean;
  /** How uneven the sizes are, 0 to 1. */
  readonly rough?: number;
}

/** Bricks, stones, slabs, tiles. */
export function courses(noise: Noise, options: Courses): Texture {
  const { width, height, joint, mortar, colours, shifted, rough = 0 } = options;
  const average = mixed(colours[0]!, colours[colours.length - 1]!, 0.5);
  const mean = mixed(average, mortar, joint / height);
  return (u, v, pixel, ink) => {
    const wobble = rough * noise.fractal(u / width, v / height, 2) * 1.2;
    const y = v / height + wobble;
    const row = Math.floor(y);
    const x = u / width + (shifted ? 0.5 * (row & 1) + rough * noise.cell(row, 7) : 0) + wobble;
    const column = Math.floor(x);
    const random = noise.cell(column, row);
    lay(ink, colours[Math.floor(random * colours.length)] ?? average, (noise.cell(column + 31, row) - 0.5) * 0.16);
    const du = (0.5 - Math.abs(x - column - 0.5)) * width;
    const dv = (0.5 - Math.abs(y - row - 0.5)) * height;
    cover(ink, mortar, clamp((joint / 2 - Math.min(du, dv)) / Math.max(pixel, 0.004) + 0.5) * clamp(joint / pixel));
    cover(ink, mean, clamp((1.6 * pixel) / height - 0.6));
    const weather = 0.25 * noise.fractal(u / 2.5, v / 2.5, 3, pixel / 2.5);
    brighten(ink, 1 + weather);
  };
}

const BRICKS: readonly Colour[] = [
  [150, 78, 58],
  [170, 98, 74],
  [128, 66, 52],
  [176, 122, 92],
  [146, 104, 82],
];
const STONES: readonly Colour[] = [
  [168, 156, 134],
  [150, 142, 126],
  [186, 172, 146],
  [140, 132, 122],
  [194, 166, 122],
];
const PLASTERS: readonly Colour[] = [
  [224, 214, 194],
  [236, 230, 218],
  [214, 190, 150],
  [206, 166, 128],
  [188, 182, 172],
  [214, 176, 160],
  [198, 204, 206],
  [228, 204, 140],
  [172, 186, 186],
  [240, 238, 234],
  [196, 140, 116],
  [160, 156, 150],
];
const CONCRETES: readonly Colour[] = [
  [168, 166, 160],
  [148, 146, 142],
  [186, 182, 172],
];

/** A material of outer walls. */
export function masonry(random: Random, noise: Noise): Texture {
  const kind = random.uniform();
  if (kind < 0.35) {
    const brick = pickColour(random, BRICKS);
    return courses(noise, {
      ...{ width: 0.24, height: 0.08, joint: 0.014, shifted: true },
      mortar: mixed(brick, [196, 188, 176], random.uniform(0.3, 0.8)),
      colours: [brick, scaled(brick, 0.88), scaled(brick, 1.12)],
    });
  }
  if (kind < 0.55) return stonework(random, noise);
  const colour = pickColour(random, kind < 0.92 ? PLASTERS : CONCRETES, 0.08);
  const streaks = random.uniform(0.05, 0.3);
  return (u, v, pixel, ink) => {
    lay(
      ink,
      colour,
      streaks * noise.fractal(u / 0.6, v / 4, 3, pixel) + 0.08 * noise.fractal(u * 2, v * 2, 3, pixel * 2),
    );
  };
}

/** Rough or hewn stones. */
export function stonework(random: Random, noise: Noise): Texture {
  const stone = pickColour(random, STONES);
  const size = random.uniform(0.2, 0.45);
  return courses(noise, {
    ...{
      width: size * random.uniform(1.2, 2.2),
      height: size,
      joint: 0.03,
      shifted: true,
      rough: random.uniform(0.1, 0.6),
    },
    mortar: scaled(stone, random.uniform(0.6, 1.1)),
    colours: [scaled(stone, 0.85), stone, scaled(stone, 1.12), mixed(stone, [150, 120, 90], 0.3)],
  });
}

/** Slabs or cobbles of a sidewalk. */
export function paving(random: Random, noise: Noise): Texture {
  const colour = pickColour(
    random,
    [
      [176, 170, 160],
      [158, 156, 152],
      [186, 172, 152],
      [170, 140, 122],
    ],
    0.1,
  );
  const size = pick(random, [0.2, 0.4, 0.6, 1, 1.5]);
  return courses(noise, {
    ...{ width: size * random.uniform(1, 1.8), height: size, joint: 0.025, shifted: random.uniform() < 0.5 },
    mortar: scaled(colour, random.uniform(0.6, 0.85)),
    colours: [scaled(colour, 0.93), colour, scaled(colour, 1.05)],
  });
}

export function asphalt(random: Random, noise: Noise): Texture {
  const colour = pickColour(
    random,
    [
      [98, 98, 100],
      [84, 84, 88],
      [118, 116, 114],
      [108, 104, 100],
    ],
    0.1,
  );
  const worn = random.uniform(0.1, 0.35);
  return (u, v, pixel, ink) => {
    const patches = noise.fractal(u / 3, v / 9, 3, pixel / 3);
    lay(ink, colour, worn * patches + 0.22 * noise.fractal(u * 9, v * 9, 2, pixel * 9));
  };
}

const GREENS: readonly Colour[] = [
  [96, 128, 52],
  [112, 142, 66],
  [88, 116, 58],
  [128, 144, 72],
  [78, 122, 48],
];

/** A lawn or meadow. @param dry share of yellow, 0 to 1. */
export function turf(random: Random, noise: Noise, dry = 0): Texture {
  const green = mixed(pickColour(random, GREENS), [176, 162, 96], dry);
  const patch = mixed(green, [160, 152, 84], random.uniform(0.1, 0.4));
  const [blades, mown] = [random.uniform(0.3, 0.8), random.uniform() < 0.2 ? 0.1 : 0];
  return (u, v, pixel, ink) => {
    const patches = noise.fractal(u / 6, v / 6, 4, pixel / 6);
    lay(ink, green, blades * noise.fractal(u * 7, v * 3.5, 3, pixel * 5));
    cover(ink, patch, clamp(0.5 + 2.2 * patches));
    if (mown > 0) brighten(ink, (Math.floor(u / 1.4) & 1) === 0 ? 1 + mown : 1 - mown);
  };
}

/** Bare soil with stones. */
export function soil(random: Random, noise: Noise): Texture {
  const colour = pickColour(random, [
    [142, 112, 82],
    [160, 132, 100],
    [118, 94, 72],
    [168, 140, 112],
    [150, 104, 76],
  ]);
  const pebble = mixed(colour, [190, 182, 170], 0.6);
  return (u, v, pixel, ink) => {
    lay(ink, colour, 0.5 * noise.fractal(u / 1.6, v / 1.6, 5, pixel / 1.6));
    cover(ink, pebble, clamp(8 * noise.fractal(u * 5 + 40, v * 5, 2, pixel * 5) - 1.4));
  };
}

export function beach(random: Random, noise: Noise): Texture {
  const colour = pickColour(
    random,
    [
      [222, 200, 160],
      [206, 184, 146],
      [232, 216, 184],
      [190, 172, 144],
    ],
    0.08,
  );
  return (u, v, pixel, ink) => {
    const dunes = noise.fractal(u / 4, v / 2, 3, pixel / 4);
    lay(ink, colour, 0.22 * dunes + 0.2 * noise.fractal(u * 8, v * 8, 2, pixel * 8));
  };
}

/** Crops in rows that run away from the camera or across. */
export function crops(random: Random, noise: Noise): Texture {
  const crop = pickColour(random, [
    [196, 176, 98],
    [214, 190, 86],
    [150, 158, 70],
    [138, 112, 82],
    [120, 146, 66],
    [206, 180, 120],
  ]);
  const ground = scaled(crop, random.uniform(0.65, 0.85));
  const [distance, lean] = [random.uniform(0.7, 2.4), random.uniform(-0.6, 0.6)];
  const across = random.uniform() < 0.3;
  return (u, v, pixel, ink) => {
    const x = (across ? v : u + lean * v) / distance + 0.15 * noise.fractal(u / 3, v / 3, 2);
    const ridge = 2 * Math.abs(x - Math.floor(x) - 0.5);
    lay(ink, crop, 0.3 * noise.fractal(u / 2, v / 2, 4, pixel / 2));
    cover(ink, ground, ease(ridge) * clamp((1.2 * distance) / pixel - 0.5));
    brighten(ink, 1 + 0.25 * noise.fractal(u / 40, v / 40, 2, pixel / 40));
  };
}

/** Roof tiles or slates: `v` runs up the roof. */
export function tiles(random: Random, noise: Noise): Texture {
  const colour = pickColour(random, [
    [160, 82, 58],
    [140, 70, 52],
    [96, 84, 80],
    [78, 82, 90],
    [122, 98, 80],
    [176, 104, 72],
  ]);
  return courses(noise, {
    ...{ width: 0.25, height: 0.32, joint: 0.05, shifted: true },
    mortar: scaled(colour, 0.62),
    colours: [scaled(colour, 0.88), colour, scaled(colour, 1.12)],
  });
}

/** Planks, upright or level. */
export function planks(random: Random, noise: Noise, upright: boolean): Texture {
  const colour = pickColour(random, [
    [142, 108, 76],
    [170, 140, 104],
    [112, 88, 68],
    [226, 222, 212],
    [122, 132, 118],
    [160, 156, 150],
  ]);
  const width = random.uniform(0.12, 0.22);
  return (u, v, pixel, ink) => {
    const x = (upright ? u : v) / width;
    const plank = Math.floor(x);
    lay(
      ink,
      colour,
      (noise.cell(plank, 3) - 0.5) * 0.25 +
        0.3 * noise.fractal(u * (upright ? 12 : 1.5), v * (upright ? 1.5 : 12), 2, pixel * 8),
    );
    const gap = (0.5 - Math.abs(x - plank - 0.5)) * width;
    cover(ink, scaled(colour, 0.45), clamp((0.01 - gap) / pixel + 0.5) * clamp(0.05 / pixel, 0, 1));
  };
}

/** Leaves: light and dark clumps. */
export interface Foliage {
  readonly light: Colour;
  readonly dark: Colour;
}

const LEAVES: readonly Colour[] = [
  [98, 124, 54],
  [82, 112, 50],
  [116, 136, 62],
  [72, 98, 48],
  [134, 140, 64],
  [88, 118, 72],
];
const AUTUMN: readonly Colour[] = [
  [186, 126, 48],
  [170, 92, 44],
  [196, 156, 60],
  [140, 82, 48],
];

export function leaves(random: Random, autumn = 0.08): Foliage {
  const light = pickColour(random, random.uniform() < autumn ? AUTUMN : LEAVES, 0.15);
  return { light, dark: scaled(mixed(light, [20, 36, 30], 0.45), mix(0.5, 0.8, random.uniform())) };
}

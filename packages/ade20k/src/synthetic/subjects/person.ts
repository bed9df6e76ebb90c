import type { Point } from '../canvas.js';
import { mixed, pickColour, scaled, type Colour } from '../colour.js';
import { clamp, mix } from '../maths.js';
import { band, ellipse } from '../outlines.js';
import { facing, type Texture, type World } from '../world.js';

const CLOTHES: readonly Colour[] = [
  [40, 48, 74],
  [54, 54, 58],
  [150, 44, 44],
  [222, 220, 214],
  [92, 110, 140],
  [60, 84, 60],
  [198, 168, 60],
  [30, 30, 34],
  [120, 84, 60],
  [176, 140, 170],
  [214, 112, 70],
  [70, 130, 150],
  [168, 168, 172],
];
const TROUSERS: readonly Colour[] = [
  [48, 58, 84],
  [40, 40, 44],
  [96, 88, 76],
  [70, 78, 100],
  [150, 138, 116],
  [60, 50, 46],
];
const SKIN: readonly Colour[] = [
  [224, 178, 148],
  [198, 146, 112],
  [150, 104, 76],
  [104, 72, 54],
  [236, 196, 170],
];
const HAIR: readonly Colour[] = [
  [46, 36, 30],
  [86, 60, 40],
  [150, 114, 66],
  [30, 28, 28],
  [150, 146, 142],
];

/** Someone who stands or walks. */
export function drawPerson(world: World, x: number, z: number): void {
  const { random, light } = world;
  const height = random.uniform() < 0.12 ? random.uniform(1, 1.4) : random.uniform(1.58, 1.9);
  const s = height / 1.75;
  const [coat, trousers, skin, hair] = [CLOTHES, TROUSERS, SKIN, HAIR].map((colours) =>
    pickColour(random, colours),
  ) as [Colour, Colour, Colour, Colour];
  const stride = random.uniform(-0.24, 0.24) * s;
  const skirt = random.uniform() < 0.2;
  const broad = random.uniform(0.9, 1.15) * s;
  world.shadow(ellipse(x, z, 0.4 * s, 0.22 * s), 0.7);
  const plane = facing(z);
  /** Rounded by the light from the sun's side. */
  const round =
    (colour: Colour, middle: number, half: number): Texture =>
    (u, _v, _pixel, ink) => {
      const side = clamp(0.5 + (((u - middle) / half) * Math.sign(light.sun[0])) / 2);
      [ink[0], ink[1], ink[2]] = scaled(colour, mix(0.78, 1.12, side));
    };
  const part = (outline: Point[], colour: Colour, half = 0.25 * broad): void =>
    world.face(plane, outline, round(colour, x, half), 'person');

  const shoe: Colour = scaled(mixed(trousers, [30, 28, 26], 0.7), 0.8);
  for (const [side, shadeOf] of [
    [-1, 0.85],
    [1, 1],
  ] as const) {
    const foot = x + side * stride + side * 0.06 * s;
    const hip = x + side * 0.09 * broad;
    part(
      band(
        [
          [hip, 0.9 * s],
          [(hip + foot) / 2 + 0.02 * s, 0.48 * s],
          [foot, 0.05 * s],
        ],
        [0.19 * broad, 0.15 * broad, 0.11 * broad],
      ),
      scaled(trousers, shadeOf),
    );
    part(ellipse(foot + 0.04 * s, 0.045 * s, 0.11 * s, 0.05 * s, 8), shoe);
  }
  if (skirt)
    part(
      [
        [x - 0.16 * broad, 0.95 * s],
        [x + 0.16 * broad, 0.95 * s],
        [x + 0.28 * broad, 0.5 * s],
        [x - 0.28 * broad, 0.5 * s],
      ],
      coat,
    );
  const swing = stride * 0.9;
  const sleeve = scaled(coat, 0.86);
  for (const side of [-1, 1]) {
    const [shoulder, hand] = [x + side * 0.22 * broad, x + side * 0.27 * broad - side * swing * 0.6];
    part(
      band(
        [
          [shoulder, 1.4 * s],
          [shoulder + side * 0.06 * s, 1.12 * s],
          [hand, 0.86 * s],
        ],
        [0.12 * broad, 0.1 * broad, 0.08 * broad],
      ),
      sleeve,
    );
    part(ellipse(hand, 0.83 * s, 0.045 * s, 0.06 * s, 8), skin);
  }
  part(
    [
      [x - 0.17 * broad, 0.86 * s],
      [x + 0.17 * broad, 0.86 * s],
      [x + 0.18 * broad, 1.1 * s],
      [x + 0.24 * broad, 1.42 * s],
      [x + 0.1 * broad, 1.5 * s],
      [x - 0.1 * broad, 1.5 * s],
      [x - 0.24 * broad, 1.42 * s],
      [x - 0.18 * broad, 1.1 * s],
    ],
    coat,
  );
  part(
    [
      [x - 0.05 * s, 1.45 * s],
      [x + 0.05 * s, 1.45 * s],
      [x + 0.05 * s, 1.56 * s],
      [x - 0.05 * s, 1.56 * s],
    ],
    scaled(skin, 0.85),
    0.1 * s,
  );
  part(ellipse(x, 1.64 * s, 0.1 * s, 0.125 * s, 12), skin, 0.1 * s);
  const back = random.uniform() < 0.5;
  part(
    back
      ? ellipse(x, 1.66 * s, 0.105 * s, 0.12 * s, 12)
      : [
          [x - 0.105 * s, 1.64 * s],
          [x - 0.08 * s, 1.74 * s],
          [x, 1.775 * s],
          [x + 0.08 * s, 1.74 * s],
          [x + 0.105 * s, 1.64 * s],
          [x + 0.06 * s, 1.7 * s],
          [x - 0.06 * s, 1.7 * s],
        ],
    hair,
    0.1 * s,
  );
  if (random.uniform() < 0.25)
    part(ellipse(x + 0.24 * broad, 0.78 * s, 0.12 * s, 0.16 * s, 10), pickColour(random, CLOTHES));
}

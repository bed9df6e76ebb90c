import type { Point } from '../canvas.js';
import type { SceneClass } from '../classes.js';
import { cover, lay, mixed, pickColour, scaled, type Colour } from '../colour.js';
import { clamp, mix } from '../maths.js';
import { ellipse, rectangle } from '../outlines.js';
import { flat } from '../textures.js';
import { along, facing, type Plane, type Texture, type World } from '../world.js';

/** A vehicle's shape: its outline from the side, tail at 0, in shares of the length and in metres of height. */
interface Shape {
  readonly label: SceneClass;
  readonly length: number;
  readonly width: number;
  /** From the lower tail over the roof to the lower nose. */
  readonly profile: readonly Point[];
  /** Windows on the side. */
  readonly windows: readonly (readonly Point[])[];
  /** Which edges of the profile are glass, by their first point. */
  readonly glass: readonly number[];
  readonly wheels: readonly number[];
  readonly wheel: number;
}

const SEDAN: Shape = {
  ...{ label: 'car', length: 4.5, width: 1.78, wheels: [0.2, 0.8], wheel: 0.32, glass: [3, 5] },
  profile: [
    [0, 0.3],
    [0, 0.82],
    [0.04, 0.95],
    [0.17, 0.98],
    [0.3, 1.4],
    [0.58, 1.43],
    [0.73, 1],
    [0.95, 0.84],
    [1, 0.62],
    [1, 0.28],
  ],
  windows: [
    [
      [0.22, 0.98],
      [0.32, 1.33],
      [0.45, 1.36],
      [0.45, 0.98],
    ],
    [
      [0.47, 0.98],
      [0.47, 1.36],
      [0.57, 1.36],
      [0.69, 1],
    ],
  ],
};
const HATCH: Shape = {
  ...{ label: 'car', length: 3.9, width: 1.72, wheels: [0.18, 0.8], wheel: 0.31, glass: [2, 4] },
  profile: [
    [0, 0.3],
    [0, 0.86],
    [0.03, 1],
    [0.13, 1.44],
    [0.52, 1.48],
    [0.7, 1.02],
    [0.95, 0.86],
    [1, 0.6],
    [1, 0.28],
  ],
  windows: [
    [
      [0.1, 1],
      [0.16, 1.38],
      [0.36, 1.4],
      [0.36, 1],
    ],
    [
      [0.39, 1],
      [0.39, 1.4],
      [0.51, 1.4],
      [0.65, 1.02],
    ],
  ],
};
const WAGON: Shape = {
  ...{ label: 'car', length: 4.7, width: 1.9, wheels: [0.19, 0.8], wheel: 0.38, glass: [2, 4] },
  profile: [
    [0, 0.36],
    [0, 1],
    [0.02, 1.1],
    [0.07, 1.7],
    [0.6, 1.74],
    [0.74, 1.14],
    [0.96, 1.02],
    [1, 0.76],
    [1, 0.34],
  ],
  windows: [
    [
      [0.07, 1.12],
      [0.11, 1.62],
      [0.33, 1.64],
      [0.33, 1.12],
    ],
    [
      [0.36, 1.12],
      [0.36, 1.64],
      [0.58, 1.64],
      [0.69, 1.14],
    ],
  ],
};
const BUS: Shape = {
  ...{ label: 'bus', length: 11, width: 2.5, wheels: [0.27, 0.8], wheel: 0.48, glass: [1, 4] },
  profile: [
    [0, 0.4],
    [0, 1.5],
    [0.005, 2.7],
    [0.02, 3.05],
    [0.985, 3.05],
    [1, 1.3],
    [1, 0.35],
  ],
  windows: [0, 1, 2, 3, 4, 5].map((i): Point[] => rectangle(0.03 + i * 0.157, 1.4, 0.03 + i * 0.157 + 0.145, 2.5)),
};

const CAR_PAINTS: readonly Colour[] = [
  [196, 198, 202],
  [224, 224, 222],
  [48, 50, 56],
  [28, 28, 32],
  [150, 28, 30],
  [44, 72, 130],
  [128, 132, 138],
  [96, 110, 120],
  [176, 168, 148],
  [60, 88, 66],
  [204, 172, 52],
];
const BUS_PAINTS: readonly Colour[] = [
  [186, 32, 34],
  [222, 218, 206],
  [40, 92, 156],
  [226, 176, 46],
  [70, 130, 80],
  [214, 110, 50],
];

/** Which way a vehicle stands: along the view with its tail or nose to the camera, or across. */
type Stand = 'away' | 'towards' | 'across';

export function drawCar(world: World, x: number, z: number, stand: Stand): void {
  const kind = world.random.uniform();
  drawVehicle(world, kind < 0.4 ? SEDAN : kind < 0.75 ? HATCH : WAGON, CAR_PAINTS, x, z, stand);
}

export function drawBus(world: World, x: number, z: number, stand: Stand): void {
  drawVehicle(world, BUS, BUS_PAINTS, x, z, stand);
}

/** @param x of the middle. @param z of the nearest end or side. */
function drawVehicle(world: World, shape: Shape, paints: readonly Colour[], x: number, z: number, stand: Stand): void {
  const { random } = world;
  const colour = pickColour(random, paints, 0.08);
  const { length, width } = shape;
  if (stand === 'across') {
    world.shadow(rectangle(x - length * 0.53, z - 0.25, x + length * 0.53, z + width), 1);
    const mirrored = random.uniform() < 0.5;
    drawSide(world, shape, facing(z), x + (mirrored ? length : -length) / 2, mirrored ? -1 : 1, colour);
    return;
  }
  world.shadow(rectangle(x - width * 0.56, z - 0.15, x + width * 0.56, z + length), 1);
  const towards = stand === 'towards';
  drawShell(world, shape, x, z, towards, colour);
  const left = x - width / 2;
  const sideX = left > 0 ? left : x + width / 2 < 0 ? x + width / 2 : null;
  if (sideX !== null) drawSide(world, shape, along(sideX), towards ? z + length : z, towards ? -1 : 1, colour);
  drawEnd(world, shape, x, z, towards, colour);
}

const paintwork = (world: World, colour: Colour, low: number, high: number): Texture => {
  const reflection = mixed(world.light.horizon, world.light.zenith, 0.5);
  return (_u, v, _pixel, ink) => {
    lay(ink, colour, -0.25 * clamp((low + 0.5 - v) / 0.5));
    cover(ink, reflection, 0.3 * clamp((v - low - 0.45) / (high - low)));
  };
};

function glass(world: World): Texture {
  const reflection = scaled(mixed(world.light.horizon, world.light.zenith, 0.4), 0.8);
  const { noise } = world;
  return (u, v, pixel, ink) => {
    lay(ink, [38, 44, 50]);
    cover(ink, reflection, clamp(0.3 + 1.3 * noise.fractal(u * 1.3, v * 2, 2, pixel)));
  };
}

/** The side with windows and wheels. @param tail where the tail is. @param way 1 if the nose is at larger `u`. */
function drawSide(world: World, shape: Shape, plane: Plane, tail: number, way: 1 | -1, colour: Colour): void {
  const { length, profile, windows, wheels, wheel, label } = shape;
  const place = (points: readonly Point[]): Point[] => points.map(([share, v]) => [tail + way * share * length, v]);
  const top = Math.max(...profile.map(([, v]) => v));
  const body = paintwork(world, colour, 0.3, top);
  world.face(plane, place(profile), body, label);
  const pane = glass(world);
  for (const window of windows) world.face(plane, place(window), pane, label);
  const tyre = flat([26, 26, 28]);
  const rim = flat(
    pickColour(world.random, [
      [150, 152, 156],
      [90, 92, 96],
      [190, 192, 194],
    ]),
  );
  for (const share of wheels) {
    const u = tail + way * share * length;
    world.face(plane, ellipse(u, wheel * 1.02, wheel * 1.15, wheel * 1.15, 14), flat(scaled(colour, 0.35)), label);
    world.face(plane, ellipse(u, wheel, wheel, wheel, 14), tyre, label);
    world.face(plane, ellipse(u, wheel, wheel * 0.58, wheel * 0.58, 12), rim, label);
  }
}

/** What is seen of the top, windscreen and tail: a strip for each edge of the profile. */
function drawShell(world: World, shape: Shape, x: number, z: number, towards: boolean, colour: Colour): void {
  const { profile, length, width, glass: panes, label } = shape;
  const points = profile.map(([share, v]): Point => [towards ? length * (1 - share) : length * share, v]);
  if (towards) points.reverse();
  const pane = glass(world);
  for (let i = points.length - 2; i >= 0; i--) {
    const [[u0, v0], [u1, v1]] = [points[i]!, points[i + 1]!];
    const edge = Math.sqrt((u1 - u0) ** 2 + (v1 - v0) ** 2);
    const plane: Plane = { origin: [x, v0, z + u0], right: [1, 0, 0], up: [0, (v1 - v0) / edge, (u1 - u0) / edge] };
    if (!world.sees(plane)) continue;
    const index = towards ? points.length - 2 - i : i;
    world.face(plane, rectangle(-width / 2, 0, width / 2, edge), flat(colour), label);
    if (panes.includes(index)) {
      world.face(plane, rectangle(-width * 0.43, edge * 0.06, width * 0.43, edge * 0.9), pane, label);
    }
  }
}

/** Bumper, lamps, number plate and wheels of the nearest end. */
function drawEnd(
  world: World,
  { profile, width, wheel, label }: Shape,
  x: number,
  z: number,
  towards: boolean,
  colour: Colour,
): void {
  const { random } = world;
  const end = towards ? profile.at(-2)! : profile[1]!;
  const [bottom, top] = [profile[0]![1], end[1]];
  const plane = facing(z);
  const half = width / 2;
  const tyre = flat([24, 24, 26]);
  for (const side of [-1, 1]) {
    world.face(
      plane,
      rectangle(x + side * half * 0.68 - 0.11, 0, x + side * half * 0.68 + 0.11, wheel * 1.4),
      tyre,
      label,
    );
  }
  world.face(plane, rectangle(x - half, bottom, x + half, top), paintwork(world, colour, bottom, top + 0.4), label);
  world.face(
    plane,
    rectangle(x - half * 0.98, bottom, x + half * 0.98, mix(bottom, top, 0.36)),
    flat(scaled(colour, random.uniform(0.3, 0.9))),
    label,
  );
  const lamp: Colour = towards ? [240, 238, 226] : [176, 30, 28];
  const [low, high] = [mix(bottom, top, 0.55), mix(bottom, top, 0.85)];
  for (const side of [-1, 1]) {
    world.face(plane, rectangle(x + side * half * 0.62, low, x + side * half * 0.95, high), flat(lamp), label);
  }
  world.face(
    plane,
    rectangle(x - 0.26, mix(bottom, top, 0.4), x + 0.26, mix(bottom, top, 0.4) + 0.13),
    flat([228, 224, 200]),
    label,
  );
}

import type { Point } from '../canvas.js';
import { pickColour, scaled, type Colour } from '../colour.js';
import { band, rectangle } from '../outlines.js';
import { flat } from '../textures.js';
import { facing, level, type World } from '../world.js';

const HULLS: readonly Colour[] = [
  [236, 236, 232],
  [40, 70, 120],
  [150, 40, 38],
  [120, 86, 58],
  [60, 110, 110],
  [226, 200, 120],
];

/** A boat on the water: a sailing boat, a cutter with a cabin, or a rowing boat. */
export function drawBoat(world: World, x: number, z: number, length: number): void {
  const { random } = world;
  const plane = facing(z);
  const way = random.uniform() < 0.5 ? -1 : 1;
  const at = (share: number, height: number): Point => [x + way * share * length, height];
  const free = length * 0.11;
  const hull = pickColour(random, HULLS);
  const deep: Point[] = [
    [x - length * 0.48, z - length * 0.5],
    [x + length * 0.48, z - length * 0.5],
    [x + length * 0.5, z],
    [x - length * 0.5, z],
  ];
  world.face(
    level(),
    deep,
    (_u, v, _pixel, ink) => {
      [ink[0], ink[1], ink[2]] = scaled(hull, 0.5);
      ink[3] = 0.5 * Math.max(0, 1 - (z - v) / (length * 0.5));
    },
    null,
  );
  const kind = random.uniform();
  if (kind < 0.55) {
    const mast = length * random.uniform(1.1, 1.5);
    world.face(
      plane,
      band([at(0.05, 0), at(0.05, mast)], [length * 0.02, length * 0.012]),
      flat([120, 110, 100]),
      'boat',
    );
    const sail = flat(
      pickColour(
        random,
        [
          [244, 242, 236],
          [236, 226, 204],
          [190, 70, 60],
          [90, 110, 150],
        ],
        0.05,
      ),
    );
    world.face(plane, [at(0.03, mast * 0.97), at(0.03, free * 1.5), at(-0.42, free * 1.6)], sail, 'boat');
    world.face(plane, [at(0.08, mast * 0.88), at(0.08, free * 1.4), at(0.46, free * 1.3)], sail, 'boat');
  } else if (kind < 0.85) {
    const cabin = pickColour(
      random,
      [
        [240, 238, 232],
        [206, 196, 176],
      ],
      0.05,
    );
    world.face(
      plane,
      [at(-0.25, free), at(0.2, free), at(0.12, free * 2.6), at(-0.25, free * 2.6)],
      flat(cabin),
      'boat',
    );
    const [a, b] = [at(-0.2, free * 1.7), at(0.1, free * 2.3)];
    world.face(plane, rectangle(Math.min(a[0], b[0]), a[1], Math.max(a[0], b[0]), b[1]), flat([48, 58, 66]), 'boat');
  }
  world.face(
    plane,
    [at(-0.46, 0), at(0.4, 0), at(0.52, free * 1.35), at(0.1, free), at(-0.5, free * 1.05)],
    flat(hull),
    'boat',
  );
  world.face(
    plane,
    [at(-0.46, 0), at(0.4, 0), at(0.42, free * 0.25), at(-0.465, free * 0.25)],
    flat(scaled(hull, 0.55)),
    'boat',
  );
  world.face(
    plane,
    band([at(-0.5, free * 1.05), at(0.1, free), at(0.52, free * 1.35)], [free * 0.2, free * 0.2, free * 0.2]),
    flat([150, 116, 80]),
    'boat',
  );
}

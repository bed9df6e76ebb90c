import type { Point } from '../canvas.js';
import { brighten, lay, mixed, pickColour, scaled, type Colour } from '../colour.js';
import { clamp } from '../maths.js';
import { band, ellipse, rectangle } from '../outlines.js';
import { courses, flat, inside, planks, stonework } from '../textures.js';
import { along, facing, level, type Texture, type World } from '../world.js';
import { lettering } from './lettering.js';

const METAL: readonly Colour[] = [
  [92, 96, 98],
  [60, 64, 66],
  [130, 134, 136],
  [54, 70, 62],
];

/** A lamp on a post. @param towards which side the arm reaches to: 1 is right. */
export function drawStreetlight(world: World, x: number, z: number, towards: 1 | -1): void {
  const { random } = world;
  const metal = flat(pickColour(random, METAL));
  const plane = facing(z);
  const height = random.uniform(5.5, 8.5);
  const thick = random.uniform(0.16, 0.24);
  world.shadow(ellipse(x, z, 0.4, 0.3), 0.6);
  if (random.uniform() < 0.3) {
    // A lantern, as in old towns.
    const low = height * 0.6;
    world.face(
      plane,
      band(
        [
          [x, 0],
          [x, low],
        ],
        [thick * 1.3, thick],
      ),
      metal,
      'streetlight',
    );
    world.face(
      plane,
      [
        [x - 0.16, low],
        [x + 0.16, low],
        [x + 0.3, low + 0.7],
        [x - 0.3, low + 0.7],
      ],
      flat([236, 228, 196]),
      'streetlight',
    );
    world.face(
      plane,
      [
        [x - 0.36, low + 0.68],
        [x + 0.36, low + 0.68],
        [x, low + 1.05],
      ],
      metal,
      'streetlight',
    );
    return;
  }
  const arm = towards * random.uniform(1.2, 2.4);
  const line: Point[] = [
    [x, 0],
    [x, height * 0.55],
    [x, height * 0.9],
    [x + arm * 0.3, height],
    [x + arm, height * 1.03],
  ];
  world.face(plane, band(line, [thick * 1.5, thick, thick, thick * 0.7, thick * 0.6]), metal, 'streetlight');
  const end = x + arm;
  world.face(
    plane,
    rectangle(
      Math.min(end, end + towards * 0.8),
      height * 1.01,
      Math.max(end, end + towards * 0.8),
      height * 1.01 + 0.22,
    ),
    flat([206, 208, 204]),
    'streetlight',
  );
}

/** A traffic sign or a board on posts. */
export function drawSign(world: World, x: number, z: number): void {
  const { random } = world;
  const plane = facing(z);
  const post = flat(pickColour(random, METAL));
  const kind = random.uniform();
  const height = random.uniform(2.2, 3.1);
  world.face(plane, rectangle(x - 0.05, 0, x + 0.05, height), post, 'signboard');
  const size = random.uniform(0.38, 0.6);
  if (kind < 0.3) {
    world.face(plane, ellipse(x, height, size, size), flat([178, 34, 38]), 'signboard');
    if (random.uniform() < 0.5)
      world.face(
        plane,
        rectangle(x - size * 0.65, height - size * 0.16, x + size * 0.65, height + size * 0.16),
        flat([240, 240, 236]),
        'signboard',
      );
    else world.face(plane, ellipse(x, height, size * 0.72, size * 0.72), flat([240, 240, 236]), 'signboard');
  } else if (kind < 0.5) {
    world.face(
      plane,
      [
        [x - size, height - size * 0.6],
        [x + size, height - size * 0.6],
        [x, height + size * 1.1],
      ],
      flat([178, 34, 38]),
      'signboard',
    );
    world.face(
      plane,
      [
        [x - size * 0.62, height - size * 0.38],
        [x + size * 0.62, height - size * 0.38],
        [x, height + size * 0.7],
      ],
      flat([242, 240, 230]),
      'signboard',
    );
  } else if (kind < 0.7) {
    world.face(plane, ellipse(x, height, size, size), flat([32, 78, 156]), 'signboard');
    world.face(
      plane,
      rectangle(x - size * 0.12, height - size * 0.5, x + size * 0.12, height + size * 0.5),
      flat([240, 240, 240]),
      'signboard',
    );
  } else {
    const [width, tall] = [random.uniform(1.2, 3.2), random.uniform(0.8, 1.8)];
    world.face(
      plane,
      rectangle(x - width / 2, height, x + width / 2, height + tall),
      lettering(world, x - width / 2, height, width, tall),
      'signboard',
    );
  }
}

/** A fence in the plane across or along the view. @param kind pickets, planks, or rails between posts. */
export function drawFence(
  world: World,
  place: { readonly across: boolean; readonly at: number; readonly from: number; readonly to: number },
): void {
  const { random, noise } = world;
  const kind = random.uniform();
  const height = random.uniform(0.9, 1.7);
  const plane = place.across ? facing(place.at) : along(place.at);
  const board = planks(random, noise, kind < 0.7);
  const white = random.uniform() < 0.35;
  const pitch = random.uniform(0.16, 0.24);
  const texture: Texture = (u, v, pixel, ink) => {
    board(u, v, pixel, ink);
    if (white) lay(ink, [234, 232, 226], 0.1 * noise.fractal(u * 4, v * 4, 2, pixel));
    if (kind < 0.4) {
      const x = u / pitch - Math.floor(u / pitch) - 0.5;
      const pointed = height - Math.abs(x) * pitch * 0.9;
      const picket = inside(x * pitch, 0, pitch * 0.36, 1, pixel) * clamp((pointed - v) / pixel + 0.5);
      const rails = Math.max(
        clamp((0.06 - Math.abs(v - height * 0.28)) / pixel + 0.5),
        clamp((0.06 - Math.abs(v - height * 0.76)) / pixel + 0.5),
      );
      const average = clamp((2 * pixel) / pitch - 0.7) * 0.75;
      ink[3] = Math.max(picket, rails, average * clamp((height - v) / pixel + 0.5));
    } else if (kind > 0.7) {
      const x = u / 2 - Math.floor(u / 2) - 0.5;
      const post = clamp((0.09 - Math.abs(x) * 2) / pixel + 0.5);
      let rails = 0;
      for (const share of [0.25, 0.58, 0.9])
        rails = Math.max(rails, clamp((0.085 - Math.abs(v - share * height)) / pixel + 0.5));
      ink[3] = Math.max(post, rails);
    }
  };
  world.face(plane, rectangle(place.from, 0, place.to, height), texture, 'fence');
}

/** A garden wall of stone or brick, with a coping. Across or along the view. */
export function drawWall(
  world: World,
  place: { readonly across: boolean; readonly at: number; readonly from: number; readonly to: number },
  height: number,
): void {
  const { random, noise } = world;
  const brick = pickColour(random, [
    [150, 82, 62],
    [160, 110, 86],
  ]);
  const body =
    random.uniform() < 0.65
      ? stonework(random, noise)
      : courses(noise, {
          width: 0.24,
          height: 0.08,
          joint: 0.014,
          shifted: true,
          mortar: mixed(brick, [190, 184, 174], 0.6),
          colours: [brick, scaled(brick, 0.86), scaled(brick, 1.1)],
        });
  const coping = pickColour(random, [
    [166, 162, 152],
    [130, 124, 116],
  ]);
  const texture: Texture = (u, v, pixel, ink) => {
    body(u, v, pixel, ink);
    if (v > height - 0.14) lay(ink, coping, 0.3 * noise.fractal(u * 2, v * 2, 2, pixel));
    const moss = clamp(0.5 - v * 0.8 + noise.fractal(u, v, 3, pixel));
    brighten(ink, 1 - 0.25 * moss);
  };
  if (!place.across && world.camera.eye > height) {
    const side = place.at > 0 ? 1 : -1;
    world.face(
      level(height),
      rectangle(
        Math.min(place.at, place.at + side * 0.4),
        place.from,
        Math.max(place.at, place.at + side * 0.4),
        place.to,
      ),
      flat(coping),
      'wall',
    );
  }
  world.face(
    place.across ? facing(place.at) : along(place.at),
    rectangle(place.from, 0, place.to, height),
    texture,
    'wall',
  );
}

import type { Point } from '../canvas.js';
import type { SceneClass } from '../classes.js';
import { mix } from '../maths.js';
import { rectangle } from '../outlines.js';
import { asphalt } from '../textures.js';
import { FAR, level, type Texture, type World } from '../world.js';

/** The whole ground up to the horizon, or from a distance to another. */
export function drawGround(world: World, texture: Texture, label: SceneClass, from = 0.3, to = FAR): void {
  const reach = 3 * to;
  world.face(level(), rectangle(-reach, from, reach, to), texture, label);
}

/** A line along the ground: where it is at each distance. */
export type Course = (z: number) => number;

/** A straight or gently bending course through `x` beside the camera. */
export function bending({ random }: World, x: number, bend = 0): Course {
  const [lean, curve] = [random.uniform(-0.08, 0.08) * bend, random.uniform(-0.0035, 0.0035) * bend];
  // Far away it goes on straight, or it would turn back over the horizon.
  return (z) => x + lean * z + curve * Math.min(z, 160) * (2 * z - Math.min(z, 160));
}

/** A strip of the ground between two offsets from a course. */
export function strip(course: Course, left: number, right: number, from = 0.3, to = 400): Point[] {
  const distances: number[] = [];
  for (let z = from; z < to; z = z * 1.18 + 0.2) distances.push(z);
  distances.push(to);
  const edge = (offset: number): Point[] => distances.map((z) => [course(z) + offset, z]);
  return [...edge(left), ...edge(right).toReversed()];
}

interface RoadOptions {
  readonly course: Course;
  /** Half the width in metres. */
  readonly half: number;
  readonly to?: number;
}

/** A road with its markings. */
export function drawRoad(world: World, { course, half, to = 400 }: RoadOptions): void {
  const { random, noise } = world;
  world.face(level(), strip(course, -half, half, 0.3, to), asphalt(random, noise), 'road');
  const worn = random.uniform(0.35, 0.95);
  const line =
    (colour: readonly [number, number, number]): Texture =>
    (u, v, pixel, ink) => {
      [ink[0], ink[1], ink[2]] = colour;
      ink[3] = worn * (0.75 + noise.fractal(u * 6, v * 6, 2, pixel * 6));
    };
  const [white, yellow] = [line([226, 226, 220]), line([214, 176, 70])];
  const middle = random.uniform();
  if (middle < 0.75) {
    const paint = random.uniform() < 0.3 ? yellow : white;
    if (middle < 0.25) world.face(level(), strip(course, -0.08, 0.08, 0.3, to), paint, null);
    else for (let z = 1; z < 90; z += 6) world.face(level(), strip(course, -0.08, 0.08, z, z + 3), paint, null);
  }
  if (random.uniform() < 0.6) {
    const paint = random.uniform() < 0.2 ? line([176, 62, 66]) : random.uniform() < 0.3 ? yellow : white;
    for (const side of [-1, 1]) {
      world.face(level(), strip(course, side * (half - 0.35), side * (half - 0.22), 0.3, to), paint, null);
    }
  }
  if (random.uniform() < 0.25) {
    const z = mix(6, 22, random.uniform());
    for (let x = -half + 0.4; x < half - 0.4; x += 1) {
      world.face(level(), strip(course, x, x + 0.5, z, z + 3), white, null);
    }
  }
}

/** The kerb between a road and what lies `height` above it. */
export function drawKerb(world: World, course: Course, offset: number, to = 400): void {
  const light = world.random.uniform(150, 200);
  const side = Math.sign(offset);
  world.face(
    level(0.05),
    strip(course, offset, offset + side * 0.22, 0.3, to),
    (_u, _v, _pixel, ink) => {
      ink[0] = ink[1] = ink[2] = light;
    },
    'sidewalk',
  );
}

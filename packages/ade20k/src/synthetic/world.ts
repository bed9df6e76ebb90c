import type { Random } from '@ii/tensor';
import type { Size } from '@ii/tensor/image';
import { Canvas, type Paint, type Point } from './canvas.js';
import { SCENE_CLASS_IDS, type SceneClass } from './classes.js';
import { cover, type Ink } from './colour.js';
import { airShare, randomLight, shade, type Light } from './light.js';
import { clamp, cross, dot, unit, type Vec3 } from './maths.js';
import { Noise } from './noise.js';

/** Colour at a place of a surface. @param pixel about the size of a pixel there. All in metres. */
export type Texture = (u: number, v: number, pixel: number, ink: Ink) => void;

/** A plane in space: `u` runs along `right`, `v` along `up`; both have length 1. */
export interface Plane {
  readonly origin: Vec3;
  readonly right: Vec3;
  readonly up: Vec3;
}

/** The camera looks along z from `[0, eye, 0]`; x is to the right, y up, the ground is y = 0; metres. */
export interface Camera {
  readonly eye: number;
  /** Pixels per unit of x / z. */
  readonly focal: number;
  /** Where the axis meets the picture, in pixels. */
  readonly centre: number;
  readonly horizon: number;
}

/** Nothing nearer is drawn. */
const NEAR = 0.6;
export const FAR = 30_000;

/** A surface that faces the camera at a distance: `u` is x and `v` the height. */
export const facing = (z: number): Plane => ({ origin: [0, 0, z], right: [1, 0, 0], up: [0, 1, 0] });
/** A wall along the view at `x`: `u` is z and `v` the height. */
export const along = (x: number): Plane => ({ origin: [x, 0, 0], right: [0, 0, 1], up: [0, 1, 0] });
/** The ground, or a level above it: `u` is x and `v` is z. */
export const level = (y = 0): Plane => ({ origin: [0, y, 0], right: [1, 0, 0], up: [0, 0, 1] });

/** All that the parts of a scene are drawn with. */
export class World {
  readonly canvas: Canvas;
  readonly camera: Camera;
  readonly light: Light;
  readonly noise: Noise;

  constructor(
    readonly random: Random,
    readonly size: Size,
  ) {
    const [height, width] = size;
    this.canvas = new Canvas(size);
    this.camera = {
      eye: random.uniform() < 0.75 ? random.uniform(1.4, 2.6) : random.uniform(2.6, 7),
      focal: Math.max(height, width) * random.uniform(0.7, 1.25),
      centre: width * random.uniform(0.3, 0.7),
      horizon: height * random.uniform(0.36, 0.62),
    };
    this.light = randomLight(random);
    this.noise = new Noise(random);
  }

  /** Half the width of what is seen at a distance, to the left and right of the axis, with some margin. */
  view(z: number): readonly [left: number, right: number] {
    const { focal, centre } = this.camera;
    return [(-centre * z) / focal, ((this.size[1] - centre) * z) / focal];
  }

  /**
   * Fills an outline on a plane: in perspective, lit by sun and sky, behind the air that is between.
   *
   * @param label null leaves the classes as they are.
   */
  face(plane: Plane, outline: readonly Point[], texture: Texture, label: SceneClass | null): void {
    const points = this.project(plane, outline);
    if (points.length < 3) return;
    this.canvas.fill(points, this.paint(plane, texture), label === null ? null : SCENE_CLASS_IDS[label]);
  }

  /** Darkens the ground inside an outline. */
  shadow(outline: readonly Point[], strength: number): void {
    const opacity = strength * clamp(0.35 + this.light.sunlight[0]);
    this.face(
      level(),
      outline,
      (_u, _v, _pixel, ink) => {
        ink[0] = ink[1] = ink[2] = 12;
        ink[3] = opacity;
      },
      null,
    );
  }

  /** Whether a surface is seen from outside: its outward normal is up × right. */
  sees({ origin, right, up }: Plane): boolean {
    return dot(cross(up, right), this.#fromEye(origin)) < 0;
  }

  /** Where an outline on a plane is in the picture; what is too near is cut off. */
  project({ origin, right, up }: Plane, outline: readonly Point[]): Point[] {
    const { eye, focal, centre, horizon } = this.camera;
    const corners = outline.map(([u, v]): Vec3 => [
      origin[0] + u * right[0] + v * up[0],
      origin[1] + u * right[1] + v * up[1],
      origin[2] + u * right[2] + v * up[2],
    ]);
    return cutNear(corners).map(([x, y, z]) => [centre + (focal * x) / z, horizon + (focal * (eye - y)) / z]);
  }

  /** The colours of a plane as they are seen. */
  paint({ origin, right, up }: Plane, texture: Texture): Paint {
    const { focal, centre, horizon } = this.camera;
    const outward = unit(cross(right, up));
    const from = this.#fromEye(origin);
    const distance = dot(outward, from);
    const normal: Vec3 = distance > 0 ? [-outward[0], -outward[1], -outward[2]] : outward;
    const [red, green, blue] = shade(this.light, normal);
    const { light } = this;
    return (px, py, ink) => {
      const dx = (px - centre) / focal;
      const dy = (horizon - py) / focal;
      const slant = outward[0] * dx + outward[1] * dy + outward[2];
      const depth = distance / slant;
      const z = depth > NEAR ? Math.min(depth, FAR) : depth > 0 ? NEAR : FAR;
      const x = z * dx - from[0];
      const y = z * dy - from[1];
      const w = z - from[2];
      const u = x * right[0] + y * right[1] + w * right[2];
      const v = x * up[0] + y * up[1] + w * up[2];
      // A slanting surface is squeezed in one direction: between its two sizes of a pixel.
      const pixel = (z / focal) * Math.sqrt(1 / Math.max(Math.abs(slant), 0.01));
      texture(u, v, pixel, ink);
      ink[0]! *= red;
      ink[1]! *= green;
      ink[2]! *= blue;
      cover(ink, light.horizon, airShare(light, z));
    };
  }

  #fromEye([x, y, z]: Vec3): Vec3 {
    return [x, y - this.camera.eye, z];
  }
}

/** The part of a polygon that is not too near. */
function cutNear(corners: readonly Vec3[]): Vec3[] {
  if (corners.every(([, , z]) => z >= NEAR)) return [...corners];
  const kept: Vec3[] = [];
  corners.forEach((corner, i) => {
    const previous = corners[(i + corners.length - 1) % corners.length]!;
    if (corner[2] >= NEAR !== previous[2] >= NEAR) {
      const share = (NEAR - previous[2]) / (corner[2] - previous[2]);
      kept.push([
        previous[0] + (corner[0] - previous[0]) * share,
        previous[1] + (corner[1] - previous[1]) * share,
        NEAR,
      ]);
    }
    if (corner[2] >= NEAR) kept.push(corner);
  });
  return kept;
}

import type { SceneClass } from '../classes.js';
import { cover, lay } from '../colour.js';
import { clamp } from '../maths.js';
import { ellipse, rectangle } from '../outlines.js';
import type { Foliage } from '../textures.js';
import { facing, type World } from '../world.js';

/** A ball of leaves: its middle and radius, in metres. */
export interface Clump {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
}

interface FoliageOptions {
  readonly z: number;
  readonly clumps: readonly Clump[];
  readonly look: Foliage;
  /** Size of a tuft of leaves in metres. */
  readonly tuft: number;
  readonly label: SceneClass;
  /** Sky that shows between the leaves, 0 to 1. */
  readonly gaps?: number;
}

/** Clumps of leaves with a ragged outline, lit from the sun's side. */
export function drawFoliage(world: World, { z, clumps, look, tuft, label, gaps = 0 }: FoliageOptions): void {
  const { noise, light } = world;
  const seed = world.random.uniform(0, 200);
  const strength = 0.25 + 0.5 * light.sunlight[0];
  const [sunX, sunY, sunZ] = light.sun;
  let [left, right, bottom, top] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x, y, radius } of clumps) {
    left = Math.min(left, x - radius - tuft);
    right = Math.max(right, x + radius + tuft);
    bottom = Math.min(bottom, y - radius - tuft);
    top = Math.max(top, y + radius + tuft);
  }
  world.face(
    facing(z),
    rectangle(left, bottom, right, top),
    (u, v, pixel, ink) => {
      let depth = -Infinity;
      let nx = 0;
      let ny = 0;
      let nz = 0;
      for (const { x, y, radius } of clumps) {
        const dx = u - x;
        const dy = v - y;
        const squared = (dx * dx + dy * dy) / (radius * radius);
        // About the distance to the edge, without a root for each clump.
        const inner = radius * 0.5 * (1 - squared);
        if (inner > depth) {
          depth = inner;
          nx = dx / radius;
          ny = dy / radius;
          nz = Math.max(0, 1 - squared);
        }
      }
      const ragged = noise.fractal(u / tuft + seed, v / tuft, 4, pixel / tuft);
      depth += 1.9 * tuft * ragged;
      const opacity = clamp(depth / pixel + 0.5);
      ink[3] = opacity;
      if (opacity === 0) return;
      const leaf = noise.fractal((u * 2.6) / tuft, (v * 2.6) / tuft + seed, 3, (pixel * 2.6) / tuft);
      if (gaps > 0) ink[3] *= 1 - clamp((leaf - 0.42 + 0.3 * gaps) * 8);
      const lit = 0.36 + strength * (nx * sunX + ny * sunY - nz * sunZ * 0.5) + 0.3 * ny + 1.1 * leaf + 0.8 * ragged;
      lay(ink, look.dark);
      cover(ink, look.light, clamp(lit, 0, 1.25));
    },
    label,
  );
}

/** The shadow on the ground of something round above it. */
export function castShadow(world: World, x: number, z: number, radius: number, height: number): void {
  const [sunX, sunY, sunZ] = world.light.sun;
  const reach = Math.min(height / Math.max(sunY, 0.25), 3 * height) * 0.6;
  world.shadow(
    ellipse(x - sunX * reach, z - sunZ * reach, radius * (1 + Math.abs(sunX)), radius * (0.7 + Math.abs(sunZ))),
    0.42,
  );
}

/**
 * The little mathematics that pictures are made of. Only operations that IEEE 754 defines to the last bit (no `Math.sin`
 * or `Math.pow`), so that a picture is the same on every platform.
 */

export type Vec3 = readonly [x: number, y: number, z: number];

export const clamp = (value: number, low = 0, high = 1): number => (value < low ? low : value > high ? high : value);

export const mix = (from: number, to: number, share: number): number => from + (to - from) * share;

/** From 0 to 1 with level ends. */
export const ease = (t: number): number => t * t * (3 - 2 * t);

/** Sine of an angle given in turns, by Bhaskara's formula: at most 0.002 off. */
export function sine(turns: number): number {
  const phase = 2 * (turns - Math.floor(turns));
  const x = phase < 1 ? phase : phase - 1;
  const p = x * (1 - x);
  return ((phase < 1 ? 16 : -16) * p) / (5 - 4 * p);
}

export const cosine = (turns: number): number => sine(turns + 0.25);

export const dot = (a: Vec3, b: Vec3): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

export const cross = (a: Vec3, b: Vec3): Vec3 => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];

export function unit(v: Vec3): Vec3 {
  const length = Math.sqrt(dot(v, v));
  return [v[0] / length, v[1] / length, v[2] / length];
}

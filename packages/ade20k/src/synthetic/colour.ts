import type { Random } from '@ii/tensor';
import { clamp, mix } from './maths.js';

/** Red, green, blue, 0 to 255. */
export type Colour = readonly [red: number, green: number, blue: number];

/** What a paint leaves for a pixel: red, green, blue, and opacity from 0 to 1. */
export type Ink = Float64Array;

export const mixed = (a: Colour, b: Colour, share: number): Colour => [
  mix(a[0], b[0], share),
  mix(a[1], b[1], share),
  mix(a[2], b[2], share),
];

export const scaled = ([red, green, blue]: Colour, by: number): Colour => [red * by, green * by, blue * by];

export const pick = <T>(random: Random, from: readonly T[]): T => from[random.integer(from.length)]!;

/** One of the colours, lighter or darker, a little warmer or cooler. */
export function pickColour(random: Random, from: readonly Colour[], amount = 0.12): Colour {
  const [red, green, blue] = pick(random, from);
  const light = 1 + random.uniform(-amount, amount);
  const warmth = random.uniform(-amount, amount) * 0.4;
  return [
    clamp(red * light * (1 + warmth), 0, 255),
    clamp(green * light, 0, 255),
    clamp(blue * light * (1 - warmth), 0, 255),
  ];
}

/** Sets the ink to a colour made lighter or darker by a share. */
export function lay(ink: Ink, colour: Colour, lightness = 0): void {
  const factor = 1 + lightness;
  ink[0] = colour[0] * factor;
  ink[1] = colour[1] * factor;
  ink[2] = colour[2] * factor;
}

/** Makes the ink lighter or darker. */
export function brighten(ink: Ink, factor: number): void {
  ink[0]! *= factor;
  ink[1]! *= factor;
  ink[2]! *= factor;
}

/** Lets a colour cover the ink by a share. */
export function cover(ink: Ink, colour: Colour, share: number): void {
  ink[0]! += (colour[0] - ink[0]!) * share;
  ink[1]! += (colour[1] - ink[1]!) * share;
  ink[2]! += (colour[2] - ink[2]!) * share;
}

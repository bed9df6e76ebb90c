import type { Lanes } from '../floats.wgsl.js';

/** `[N, H, W, C]`. */
export type Image = readonly [number, number, number, number];

/** Channels that are read at once, as many as divide their number; there are 150 classes. */
export type Unit = 1 | 2 | 4;

export const unitOf = (channels: number): Unit => (channels % 4 === 0 ? 4 : channels % 2 === 0 ? 2 : 1);

export const vectorOf = (unit: Unit): Lanes => (unit === 1 ? 'f32' : `vec${unit}<f32>`);

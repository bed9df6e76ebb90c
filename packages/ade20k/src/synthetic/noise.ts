import { Random } from '@ii/tensor';
import { clamp, ease } from './maths.js';

const SIDE = 256;
const MASK = SIDE - 1;
let lattice: Float32Array | undefined;

/** Smooth noise over the plane, with period 256. Streams differ by their place in one table of random numbers. */
export class Noise {
  readonly #table: Float32Array;
  readonly #x: number;
  readonly #y: number;

  constructor(random: Random) {
    if (!lattice) {
      const values = new Random(0, 'noise');
      lattice = Float32Array.from({ length: SIDE * SIDE }, () => values.uniform());
    }
    this.#table = lattice;
    this.#x = random.uniform(0, SIDE);
    this.#y = random.uniform(0, SIDE);
  }

  /** From 0 to 1; details are of size 1. */
  at(x: number, y: number): number {
    const px = x + this.#x;
    const py = y + this.#y;
    const ix = Math.floor(px);
    const iy = Math.floor(py);
    const tx = ease(px - ix);
    const row = (iy & MASK) * SIDE;
    const below = ((iy + 1) & MASK) * SIDE;
    const column = ix & MASK;
    const right = (ix + 1) & MASK;
    const table = this.#table;
    const upper = table[row + column]! + (table[row + right]! - table[row + column]!) * tx;
    const lower = table[below + column]! + (table[below + right]! - table[below + column]!) * tx;
    return upper + (lower - upper) * ease(py - iy);
  }

  /** One of the table's numbers for a cell of a grid, from 0 to 1. */
  cell(column: number, row: number): number {
    const x = (column + Math.floor(this.#x)) & MASK;
    const y = (row + Math.floor(this.#y)) & MASK;
    return this.#table[((y * 73 + x * 151) & MASK) * SIDE + ((x * 37 + y * 101) & MASK)]!;
  }

  /**
   * Octaves of noise, each of half the size and half the strength, about −0.5 to 0.5 around 0.
   *
   * @param pixel size of a pixel in the same units: details that it cannot show are left out.
   */
  fractal(x: number, y: number, octaves: number, pixel = 0): number {
    let sum = 0;
    let frequency = 1;
    let strength = 0.5;
    for (let octave = 0; octave < octaves; octave++, frequency *= 2, strength /= 2) {
      const visible = pixel === 0 ? 1 : clamp(2 / (pixel * frequency) - 1);
      if (visible === 0) break;
      sum += visible * strength * (this.at(x * frequency + octave * 17.3, y * frequency - octave * 9.1) - 0.5);
    }
    return sum;
  }
}

import type { Size } from '@ii/tensor/image';
import { clamp } from './maths.js';
import type { Ink } from './colour.js';

export type Point = readonly [x: number, y: number];

/** Gives the colour of the pixel around a point. The opacity is 1 when it is called. */
export type Paint = (x: number, y: number, ink: Ink) => void;

/** Lines in a row of pixels on which an outline is followed; along them coverage is exact. */
const LINES = 4;

/** A picture in the making: colours with smooth edges, and the class of each pixel. */
export class Canvas {
  readonly height: number;
  readonly width: number;
  /** `[H, W, 3]`, 0 to 255. */
  readonly colours: Float32Array;
  /** Class ids `[H, W]`. */
  readonly labels: Uint8Array;
  readonly #ink: Ink = new Float64Array(4);
  readonly #coverage: Float32Array;
  #crossings = new Float64Array(16);

  constructor([height, width]: Size) {
    this.height = height;
    this.width = width;
    this.colours = new Float32Array(height * width * 3);
    this.labels = new Uint8Array(height * width);
    this.#coverage = new Float32Array(width + 1);
  }

  /**
   * Fills an outline (even-odd). A pixel takes the class where at least half of it is covered.
   *
   * @param label class id; null leaves the classes as they are, as a shadow does.
   */
  fill(outline: readonly Point[], paint: Paint, label: number | null): void {
    let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const [x, y] of outline) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
    const [first, last] = [Math.max(0, Math.floor(left)), Math.min(this.width, Math.ceil(right))];
    const end = Math.min(this.height, Math.ceil(bottom));
    if (first >= last) return;
    for (let row = Math.max(0, Math.floor(top)); row < end; row++) {
      this.#coverage.fill(0, first, last + 1);
      for (let line = 0; line < LINES; line++) this.#cover(outline, row + (line + 0.5) / LINES);
      this.#paintRow(row, first, last, paint, label);
    }
  }

  /** Adds what lies inside on one line to the coverage of its pixels. */
  #cover(outline: readonly Point[], y: number): void {
    let count = 0;
    let x0 = outline[outline.length - 1]![0];
    let y0 = outline[outline.length - 1]![1];
    for (const point of outline) {
      const x1 = point[0];
      const y1 = point[1];
      if (y0 <= y !== y1 <= y) {
        if (count === this.#crossings.length) this.#grow();
        const x = x0 + ((y - y0) * (x1 - x0)) / (y1 - y0);
        let at = count++;
        for (; at > 0 && this.#crossings[at - 1]! > x; at--) this.#crossings[at] = this.#crossings[at - 1]!;
        this.#crossings[at] = x;
      }
      x0 = x1;
      y0 = y1;
    }
    for (let i = 0; i + 1 < count; i += 2) {
      this.#span(clamp(this.#crossings[i]!, 0, this.width), clamp(this.#crossings[i + 1]!, 0, this.width));
    }
  }

  #span(from: number, to: number): void {
    const coverage = this.#coverage;
    const first = Math.floor(from);
    const last = Math.floor(to);
    if (first === last) {
      coverage[first]! += (to - from) / LINES;
      return;
    }
    coverage[first]! += (first + 1 - from) / LINES;
    for (let x = first + 1; x < last; x++) coverage[x]! += 1 / LINES;
    coverage[last]! += (to - last) / LINES;
  }

  #paintRow(row: number, first: number, last: number, paint: Paint, label: number | null): void {
    const ink = this.#ink;
    for (let x = first; x < last; x++) {
      const coverage = this.#coverage[x]!;
      if (coverage < 0.004) continue;
      ink[3] = 1;
      paint(x + 0.5, row + 0.5, ink);
      const opacity = coverage * ink[3];
      const at = row * this.width + x;
      for (let c = 0; c < 3; c++) {
        const value = this.colours[3 * at + c]!;
        this.colours[3 * at + c] = value + (ink[c]! - value) * opacity;
      }
      if (label !== null && opacity >= 0.5) this.labels[at] = label;
    }
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#crossings.length);
    larger.set(this.#crossings);
    this.#crossings = larger;
  }
}

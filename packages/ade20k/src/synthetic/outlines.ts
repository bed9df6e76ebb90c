import type { Point } from './canvas.js';
import { cosine, sine } from './maths.js';

export const rectangle = (left: number, bottom: number, right: number, top: number): Point[] => [
  [left, bottom],
  [right, bottom],
  [right, top],
  [left, top],
];

export const ellipse = (x: number, y: number, radiusX: number, radiusY: number, corners = 16): Point[] =>
  Array.from({ length: corners }, (_, i) => [x + radiusX * cosine(i / corners), y + radiusY * sine(i / corners)]);

/** A band of changing width along a line of points, as a trunk or a frond. */
export function band(line: readonly Point[], widths: readonly number[]): Point[] {
  const left: Point[] = [];
  const right: Point[] = [];
  line.forEach(([x, y], i) => {
    const [fromX, fromY] = line[Math.max(i - 1, 0)]!;
    const [toX, toY] = line[Math.min(i + 1, line.length - 1)]!;
    const length = Math.sqrt((toX - fromX) ** 2 + (toY - fromY) ** 2) || 1;
    const half = widths[i]! / 2;
    const [acrossX, acrossY] = [(-(toY - fromY) / length) * half, ((toX - fromX) / length) * half];
    left.push([x + acrossX, y + acrossY]);
    right.push([x - acrossX, y - acrossY]);
  });
  return [...left, ...right.toReversed()];
}

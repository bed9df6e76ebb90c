/**
 * Where DCNv3 samples. Every implementation follows this file.
 *
 * Each output pixel and each group of channels has K·K points. The points run down the columns of the kernel: point
 * `i · K + j` is column `i`, row `j`. Its location in the input, in pixels, is
 *
 *     centre + (grid + offset) · offsetScale
 *
 * where `centre` is the pixel under the kernel's middle, `grid` the point's place in the dilated kernel counted from
 * the middle, and `offset` the predicted pair (x, y). The value there is bilinear, with zeros outside the map: a point at
 * exactly −1 or at the map's size adds nothing.
 *
 * This is the CUDA operator of InternImage (ops_dcnv3). Where the padding differs between the axes, the PyTorch version
 * of the same operator exchanges the two; the CUDA operator, and this one, do not.
 */
import { ShapeError, type Shape } from '@ii/tensor';

/** Pairs are `[vertical, horizontal]`. */
export interface Geometry {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}

/** Number of points of a group. */
export function pointCount({ kernelSize: [rows, columns] }: Geometry): number {
  return rows * columns;
}

/** The output's `[height, width]`, as of a convolution with the same kernel, stride, padding and dilation. */
export function outputSize(geometry: Geometry, height: number, width: number): readonly [number, number] {
  const along = (axis: 0 | 1, size: number): number => {
    const extent = geometry.dilation[axis] * (geometry.kernelSize[axis] - 1) + 1;
    return Math.floor((size + 2 * geometry.padding[axis] - extent) / geometry.stride[axis]) + 1;
  };
  return [along(0, height), along(1, width)];
}

/** From a kernel's first row or column to its middle. */
export function middle(geometry: Geometry, axis: 0 | 1): number {
  return Math.floor((geometry.dilation[axis] * (geometry.kernelSize[axis] - 1)) / 2);
}

/** The input row or column under the kernel's middle at output row or column `index`. */
export function centre(geometry: Geometry, axis: 0 | 1, index: number): number {
  return middle(geometry, axis) - geometry.padding[axis] + index * geometry.stride[axis];
}

/** The undisturbed place of a point counted from the kernel's middle, `[y, x]`. */
export function grid(geometry: Geometry, point: number): readonly [number, number] {
  const rows = geometry.kernelSize[0];
  const column = Math.floor(point / rows);
  const row = point - column * rows;
  return [row * geometry.dilation[0] - middle(geometry, 0), column * geometry.dilation[1] - middle(geometry, 1)];
}

/** Refuses sizes that leave no output, and values that no kernel can have. */
export function checkGeometry(operator: string, geometry: Geometry, x: Shape): void {
  const whole = (name: keyof Geometry, least: number): void => {
    if (!geometry[name].every((v) => Number.isInteger(v) && v >= least)) {
      throw new ShapeError(
        `${operator}: ${name} ${geometry[name].join('×')} is not valid: expected integers of at least ${least}`,
      );
    }
  };
  whole('kernelSize', 1);
  whole('stride', 1);
  whole('padding', 0);
  whole('dilation', 1);
  const [height, width] = outputSize(geometry, x[1]!, x[2]!);
  if (height < 1 || width < 1) {
    throw new ShapeError(
      `${operator}: a map of ${x[1]}×${x[2]} is smaller than the kernel (${geometry.kernelSize.join('×')}, dilation ${geometry.dilation.join('×')}, padding ${geometry.padding.join('×')}); use more padding or a larger map`,
    );
  }
}

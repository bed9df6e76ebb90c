import { ShapeError } from '../errors.js';
import { showShape, sizeOf, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';

/** Elements on the host with their shape, row-major. */
export interface HostTensor<T extends ArrayLike<number> = ArrayLike<number>> {
  readonly shape: Shape;
  readonly data: T;
}

/** Reads a device tensor, widened to f64 (the reference device computes in f64). */
export async function hostTensor(tensor: Tensor): Promise<HostTensor<Float64Array>> {
  return { shape: tensor.shape, data: await tensor.readFloat64() };
}

type Writable = Float32Array | Float64Array | Int32Array | Uint8Array | Uint16Array;

/**
 * `[N, C, H, W]` to `[N, H, W, C]`: from PyTorch's image layout to ours.
 *
 * @throws ShapeError when the tensor does not have four axes.
 */
export function channelsLast<T extends Writable>(tensor: HostTensor<T>): HostTensor<T> {
  const [n, c, h, w] = fourAxes('channelsLast', tensor.shape);
  return { shape: [n, h, w, c], data: transposePlanes(tensor.data, n, c, h * w) };
}

/**
 * `[N, H, W, C]` to `[N, C, H, W]`: from our image layout to PyTorch's.
 *
 * @throws ShapeError when the tensor does not have four axes.
 */
export function channelsFirst<T extends Writable>(tensor: HostTensor<T>): HostTensor<T> {
  const [n, h, w, c] = fourAxes('channelsFirst', tensor.shape);
  return { shape: [n, c, h, w], data: transposePlanes(tensor.data, n, h * w, c) };
}

/** Each of `count` matrices of `rows` by `columns`, transposed. */
function transposePlanes<T extends Writable>(data: T, count: number, rows: number, columns: number): T {
  const out = data.slice() as T;
  for (let m = 0; m < count; m++) {
    const start = m * rows * columns;
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) out[start + c * rows + r] = data[start + r * columns + c]!;
    }
  }
  return out;
}

function fourAxes(what: string, shape: Shape): readonly [number, number, number, number] {
  if (shape.length !== 4) throw new ShapeError(`${what}: expected four axes, got shape ${showShape(shape)}`);
  return shape as readonly [number, number, number, number] & Shape;
}

/** Refuses elements that do not fill their shape. */
export function checkFilled(what: string, { shape, data }: HostTensor): void {
  if (sizeOf(shape) !== data.length) {
    throw new ShapeError(`${what}: ${data.length} elements do not fill shape ${showShape(shape)}`);
  }
}

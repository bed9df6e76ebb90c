import { DTypeError, ShapeError, pair, showShape, type Shape, type Tensor } from '@ii/tensor';
import type { DCNv3CoreOptions, DCNv3Params } from './dcnv3.js';
import { checkGeometry, outputSize, pointCount, type Geometry } from './geometry.js';

/** What follows from the arguments of DCNv3 once they are known to fit each other. */
export interface CheckedArguments {
  readonly params: DCNv3Params;
  /** `[N, Ho, Wo, C]`. */
  readonly outputShape: Shape;
}

/**
 * Checks the arguments that the operator and its gradient share.
 *
 * @param operator named in errors.
 * @throws ShapeError when a shape or an option does not fit the others; DTypeError when a tensor is not f32.
 */
export function checkArguments(
  operator: string,
  x: Tensor,
  offset: Tensor,
  mask: Tensor,
  options: DCNv3CoreOptions,
): CheckedArguments {
  const { groups, offsetScale = 1, softmax = false, centerScale } = options;
  const geometry: Geometry = {
    kernelSize: pair(options.kernelSize ?? 3),
    stride: pair(options.stride ?? 1),
    padding: pair(options.padding ?? 1),
    dilation: pair(options.dilation ?? 1),
  };
  if (x.shape.length !== 4) {
    throw new ShapeError(`${operator}: x must be [N, H, W, C], got shape ${showShape(x.shape)}`);
  }
  const [n, height, width, channels] = x.shape as readonly [number, number, number, number];
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new ShapeError(`${operator}: ${channels} channels do not split into ${groups} groups`);
  }
  if (!Number.isFinite(offsetScale)) {
    throw new ShapeError(`${operator}: offsetScale must be a finite number, got ${offsetScale}`);
  }
  checkGeometry(operator, geometry, x.shape);
  const [outHeight, outWidth] = outputSize(geometry, height, width);
  const points = groups * pointCount(geometry);
  checkTensor(`${operator} x`, x, x.shape);
  checkTensor(`${operator} offset`, offset, [n, outHeight, outWidth, points * 2]);
  checkTensor(`${operator} mask`, mask, [n, outHeight, outWidth, points]);
  if (centerScale) {
    if (outHeight !== height || outWidth !== width) {
      throw new ShapeError(
        `${operator}: centerScale needs an output as large as the input, got ${outHeight}×${outWidth} from ${height}×${width}`,
      );
    }
    checkTensor(`${operator} centerScale`, centerScale, [n, height, width, groups]);
  }
  return {
    params: { ...geometry, groups, offsetScale, softmax },
    outputShape: [n, outHeight, outWidth, channels],
  };
}

/** @param what names the tensor in errors. */
export function checkTensor(what: string, tensor: Tensor, shape: Shape): void {
  if (tensor.dtype !== 'f32') throw new DTypeError(`${what}: expected f32, got ${tensor.dtype}; use cast() first`);
  if (showShape(tensor.shape) !== showShape(shape)) {
    throw new ShapeError(`${what}: expected shape ${showShape(shape)}, got ${showShape(tensor.shape)}`);
  }
}

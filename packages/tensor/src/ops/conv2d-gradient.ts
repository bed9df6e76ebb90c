/**
 * Gradients of a convolution, made of convolutions and matrix products, so that every fast form of those serves here too.
 */
import { scope } from '../scope.js';
import { sizeOf, stridesOf, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { runConv2d, type ConvGeometry } from './conv2d-forward.js';
import { copyBlock, gather } from './copy.js';
import { depthwiseConv2dWeightGradient, winogradWeightGradient } from './gradients/index.js';
import { concat, flip, full, pad, permute, reshape, slice } from './layout.js';
import { matmul } from './linear.js';

type Sizes = readonly [number, number, number, number];

/**
 * Gradient of a convolution's input.
 *
 * With stride 1 it is the convolution of `gy` with the filters mirrored and their channels exchanged. With a larger stride,
 * input rows of one remainder see only every stride-th tap, so each pair of remainders is a small convolution of its own.
 *
 * @param gy `[N, Ho, Wo, O]`. @param weight `[O, C / groups, kH, kW]`. @param shape of the input, `[N, H, W, C]`.
 * @returns `[N, H, W, C]`.
 */
export function conv2dInputGradient(gy: Tensor, weight: Tensor, shape: Shape, geometry: ConvGeometry): Tensor {
  return scope(() => {
    const mirrored = mirror(weight, geometry.groups);
    const [strideY, strideX] = geometry.stride;
    if (strideY === 1 && strideX === 1) return fullCorrelation(gy, mirrored, shape, geometry);
    if (geometry.dilation[0] === 1 && geometry.dilation[1] === 1) return byRemainders(gy, mirrored, shape, geometry);
    const spread = spreadOut(gy, geometry.stride);
    return fullCorrelation(spread, mirrored, shape, { ...geometry, stride: [1, 1] });
  });
}

/** `[O, C / g, kH, kW]` → `[C, O / g, kH, kW]`, turned by half a turn. */
function mirror(weight: Tensor, groups: number): Tensor {
  const [out, perGroup, kh, kw] = weight.shape as Sizes;
  const exchanged = permute(reshape(weight, [groups, out / groups, perGroup, kh, kw]), [0, 2, 1, 3, 4]);
  return flip(reshape(exchanged, [groups * perGroup, out / groups, kh, kw]), [2, 3]);
}

/** Stride 1: pads `gy` so that every tap that reached the input is met; rows that no output saw stay 0. */
function fullCorrelation(
  gy: Tensor,
  mirrored: Tensor,
  shape: Shape,
  { padding, dilation, groups }: ConvGeometry,
): Tensor {
  const [, height, width] = shape as Sizes;
  const sides = ([height, width] as const).map((size, axis) => {
    const extent = dilation[axis]! * (mirrored.shape[axis + 2]! - 1);
    const before = extent - padding[axis]!;
    return { before, after: size - (gy.shape[axis + 1]! + before - extent) };
  });
  const [rows, columns] = sides as [Side, Side];
  const same =
    rows.before === rows.after && columns.before === columns.after && rows.before >= 0 && columns.before >= 0;
  if (same) return runConv2d(gy, mirrored, { padding: [rows.before, columns.before], dilation, groups });
  return runConv2d(surround(gy, rows, columns), mirrored, { dilation, groups });
}

/** Zeros to add around a map on one axis; negative numbers cut off instead. */
interface Side {
  readonly before: number;
  readonly after: number;
}

function surround(map: Tensor, rows: Side, columns: Side): Tensor {
  const sides = [{ before: 0, after: 0 }, rows, columns, { before: 0, after: 0 }];
  const cut = slice(
    map,
    sides.map(({ before }) => Math.max(0, -before)),
    sides.map(({ after }, axis) => map.shape[axis]! - Math.max(0, -after)),
  );
  return pad(
    cut,
    sides.map(({ before, after }) => [Math.max(0, before), Math.max(0, after)] as const),
  );
}

/** Larger strides, dilation 1: `y = x` shifted by the padding, `x = remainder + stride · q`, taps `remainder + stride · j`. */
function byRemainders(gy: Tensor, mirrored: Tensor, shape: Shape, { stride, padding, groups }: ConvGeometry): Tensor {
  const gx = full(gy, shape, 0);
  const strides = stridesOf(shape);
  const phases = (axis: 0 | 1): Phase[] =>
    Array.from({ length: stride[axis] }, (_, remainder) =>
      phase(remainder, mirrored.shape[axis + 2]!, shape[axis + 1]!, stride[axis], padding[axis]),
    ).filter(({ taps, count }) => taps > 0 && count > 0);
  for (const rows of phases(0)) {
    for (const columns of phases(1)) {
      const part = scope(() => {
        const filters = everyNth(mirrored, [rows.firstTap, columns.firstTap], [rows.taps, columns.taps], stride);
        const around = (p: Phase, size: number): Side => ({
          before: p.taps - 1 - p.first,
          after: p.first + p.count - size,
        });
        const map = surround(gy, around(rows, gy.shape[1]!), around(columns, gy.shape[2]!));
        return runConv2d(map, filters, { groups });
      });
      copyBlock(part, gx, {
        shape: part.shape,
        fromStrides: stridesOf(part.shape),
        fromOffset: 0,
        toStrides: [strides[0]!, strides[1]! * stride[0], strides[2]! * stride[1], 1],
        toOffset: rows.offset * strides[1]! + columns.offset * strides[2]!,
      });
      part.dispose();
    }
  }
  return gx;
}

/** What the input positions of one remainder see. */
interface Phase {
  /** Number of taps, and the first of them in the mirrored kernel. */
  readonly taps: number;
  readonly firstTap: number;
  /** The first input position, how many there are, and the output position under the first tap of the first. */
  readonly offset: number;
  readonly count: number;
  readonly first: number;
}

function phase(remainder: number, kernel: number, size: number, stride: number, padding: number): Phase {
  const taps = Math.max(0, Math.ceil((kernel - remainder) / stride));
  const lastTap = remainder + (taps - 1) * stride;
  const first = Math.max(0, Math.ceil((padding - remainder) / stride));
  const offset = remainder + first * stride - padding;
  const count = Math.max(0, Math.ceil((size - offset) / stride));
  return { taps, firstTap: kernel - 1 - lastTap, offset, count, first };
}

/** Every stride-th tap of the filters, from `start` on. */
function everyNth(
  filters: Tensor,
  start: readonly [number, number],
  count: readonly [number, number],
  stride: readonly [number, number],
): Tensor {
  const [out, perGroup, , kw] = filters.shape as Sizes;
  const own = stridesOf(filters.shape);
  const shape = [out, perGroup, ...count];
  const part = filters.device.empty(shape);
  copyBlock(filters, part, {
    shape,
    fromStrides: [own[0]!, own[1]!, kw * stride[0], stride[1]],
    fromOffset: start[0] * kw + start[1],
    toStrides: stridesOf(shape),
    toOffset: 0,
  });
  return part;
}

/** `gy` with `stride − 1` zeros between its pixels. */
function spreadOut(gy: Tensor, stride: readonly [number, number]): Tensor {
  const [n, height, width, channels] = gy.shape as Sizes;
  const spread = full(gy, [n, (height - 1) * stride[0] + 1, (width - 1) * stride[1] + 1, channels], 0);
  const strides = stridesOf(spread.shape);
  copyBlock(gy, spread, {
    shape: gy.shape,
    fromStrides: stridesOf(gy.shape),
    fromOffset: 0,
    toStrides: [strides[0]!, strides[1]! * stride[0], strides[2]! * stride[1], 1],
    toOffset: 0,
  });
  return spread;
}

/**
 * Gradient of a convolution's filters: the product of `gy` with the input as the taps see it.
 *
 * @param x `[N, H, W, C]`. @param gy `[N, Ho, Wo, O]`. @param shape of the filters, `[O, C / groups, kH, kW]`.
 */
export function conv2dWeightGradient(x: Tensor, gy: Tensor, shape: Shape, geometry: ConvGeometry): Tensor {
  const [out, perGroup, kh, kw] = shape as Sizes;
  const { groups, stride, padding, dilation } = geometry;
  if (perGroup === 1 && groups === out) {
    return depthwiseConv2dWeightGradient(x, gy, [kh, kw], { stride, padding, dilation });
  }
  if (groups > 1) return scope(() => byGroups(x, gy, shape, geometry));
  const [images, ho, wo] = gy.shape as Sizes;
  const convolution = {
    ...geometry,
    images,
    output: [ho, wo],
    channels: perGroup,
    outputs: out,
    kernel: [kh, kw],
  } as const;
  const fast = winogradWeightGradient(x, gy, convolution, padding);
  if (fast) return fast;
  return scope(() => {
    const pixels = images * ho * wo;
    const rows = reshape(gy, [pixels, out]);
    if (kh === 1 && kw === 1 && sizeOf(stride) === 1 && sizeOf(padding.map((p) => p + 1)) === 1) {
      return reshape(matmul(rows, reshape(x, [pixels, perGroup]), { transposeA: true }), shape);
    }
    const [top, left] = padding;
    const padded =
      top + left === 0
        ? x
        : pad(x, [
            [0, 0],
            [top, top],
            [left, left],
            [0, 0],
          ]);
    const strides = stridesOf(padded.shape);
    const gradient = gy.device.empty(shape);
    for (const [row, column, tall, wide] of tapBlocks([kh, kw], 4 * pixels * perGroup)) {
      // What the taps see of the input, beside each other: all of them are columns of one product.
      const seen = gather(
        padded,
        [images, ho, wo, tall, wide, perGroup],
        [
          ...[strides[0]!, strides[1]! * stride[0], strides[2]! * stride[1]],
          ...[strides[1]! * dilation[0], strides[2]! * dilation[1], 1],
        ],
        row * dilation[0] * strides[1]! + column * dilation[1] * strides[2]!,
      );
      const product = matmul(rows, reshape(seen, [pixels, tall * wide * perGroup]), { transposeA: true });
      copyBlock(product, gradient, {
        shape: [out, perGroup, tall, wide],
        fromStrides: [tall * wide * perGroup, 1, wide * perGroup, perGroup],
        fromOffset: 0,
        toStrides: stridesOf(shape),
        toOffset: row * kw + column,
      });
      seen.dispose();
      product.dispose();
    }
    return gradient;
  });
}

/** Most bytes of the input as several taps see it: the least that a GPU lets a buffer have. */
const seenBytes = 2 ** 27;

/** Blocks of taps, rows of them or parts of a row, of which each takes `bytes`. */
function tapBlocks(
  [height, width]: readonly [number, number],
  bytes: number,
): (readonly [row: number, column: number, tall: number, wide: number])[] {
  const most = Math.max(1, Math.floor(seenBytes / Math.max(bytes, 1)));
  const wide = Math.min(width, most);
  const tall = wide < width ? 1 : Math.min(height, Math.floor(most / width));
  const blocks: (readonly [number, number, number, number])[] = [];
  for (let row = 0; row < height; row += tall) {
    for (let column = 0; column < width; column += wide) {
      blocks.push([row, column, Math.min(tall, height - row), Math.min(wide, width - column)]);
    }
  }
  return blocks;
}

/** One group after the other. */
function byGroups(x: Tensor, gy: Tensor, shape: Shape, geometry: ConvGeometry): Tensor {
  const [out, perGroup, kh, kw] = shape as Sizes;
  const { groups } = geometry;
  const channelsOf = (map: Tensor, group: number): Tensor => {
    const width = map.shape[3]! / groups;
    return slice(map, [0, 0, 0, group * width], [undefined, undefined, undefined, (group + 1) * width]);
  };
  const parts = Array.from({ length: groups }, (_, group) =>
    conv2dWeightGradient(channelsOf(x, group), channelsOf(gy, group), [out / groups, perGroup, kh, kw], {
      ...geometry,
      groups: 1,
    }),
  );
  return concat(parts, 0);
}

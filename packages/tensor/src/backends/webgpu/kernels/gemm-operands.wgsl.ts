/** How the matrix product of `gemm.wgsl.ts` reads its operands and stores its result. */
import { floatBuffer, type FloatBuffer, type FloatEncoding, type Lanes } from '../floats.wgsl.js';
import type { StorageDeclaration } from '../wgsl.js';
import { epilogueStorage, epilogueWgsl, type EpilogueShape } from './epilogue.wgsl.js';
import type { LeftOperandWgsl, OperandWgsl } from './gemm.wgsl.js';

/** A matrix in memory, row-major. */
export interface MatrixOperand {
  readonly kind: 'matrix';
  /** Whether the sums run along the matrix's columns where they would run along its rows, or the other way round. */
  readonly transposed: boolean;
  /**
   * Whether rows are read four elements at a time: they must be a multiple of four long, and not transposed where the matrix
   * is the right operand.
   */
  readonly vectors: boolean;
  /** Axes along which several matrices lie, each with its own stride for either operand. */
  readonly axes: number;
}

/** The pixels that a convolution's kernel sees: a row per output pixel, the terms tap by tap, then by channel. */
export interface ImageOperand {
  readonly kind: 'image';
  /** Channels of a group. */
  readonly channels: number;
  /** Channels from one pixel to the next. */
  readonly pixel: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Whether channels are read four at a time: their numbers must be multiples of four. */
  readonly vectors: boolean;
}

/** Weights prepared by `packing.ts`: `[matrix][terms][columns]`, both padded to fours. */
export interface PackedOperand {
  readonly kind: 'packed';
  /** Whether they are stored as halves, two to a word. */
  readonly half: boolean;
}

export type LeftOperand = MatrixOperand | ImageOperand;
export type RightOperand = MatrixOperand | PackedOperand;

export interface ProductResult {
  /** Parts of a split sum go to memory as they are, to be added up afterwards. */
  readonly partial: boolean;
  /** Whether results are stored four at a time: columns must come in multiples of four. */
  readonly vectors: boolean;
  /** Halves are stored four at a time only. */
  readonly encoding: FloatEncoding;
  readonly epilogue: EpilogueShape;
}

/** Names of the uniforms of an image operand, all u32. */
export const imageUniforms = ['height', 'width', 'outHeight', 'outWidth'] as const;

/** Names of the uniforms of a packed operand, all u32: the first of the matrices that the product is of. */
export const packedUniforms = ['firstMatrix'] as const;

/** Names of the uniforms of the axes along which matrices lie, innermost first: sizes, and strides in elements. */
export const axesUniforms = (axes: number): string[] =>
  Array.from({ length: axes }, (_, i) => [`size${i}`, `left${i}`, `right${i}`]).flat();

/** Names of the uniforms of a result, all u32: elements from one row, and from one matrix, to the next. */
export const resultUniforms = ['rowStride', 'matrixStride'] as const;

const elementType = (vectors: boolean): Lanes => (vectors ? 'vec4<f32>' : 'f32');

export const leftBuffer = ({ vectors }: LeftOperand, encoding: FloatEncoding): FloatBuffer =>
  floatBuffer('read', 'left', elementType(vectors), encoding);

export const rightBuffer = (right: RightOperand, encoding: FloatEncoding): FloatBuffer =>
  floatBuffer('read', 'right', elementType(right.kind === 'packed' || right.vectors), encoding);

/** Declares `fn name(matrix: u32) -> u32`: where an operand of a matrix begins, in elements. */
function baseWgsl(name: string, operand: 'left' | 'right', axes: number): string {
  const steps = Array.from(
    { length: axes },
    (_, i) => `  base += (rest % params.size${i}) * params.${operand}${i};\n  rest /= params.size${i};\n`,
  );
  return `fn ${name}(matrix: u32) -> u32 {
  var base = 0u;
  var rest = matrix;
${steps.join('')}  return base;
}`;
}

/** @param whole whether the sums fill every step of the tile, so that none ends inside one. */
export function leftWgsl(left: LeftOperand, encoding: FloatEncoding, whole: boolean): LeftOperandWgsl {
  const buffer = leftBuffer(left, encoding);
  return left.kind === 'image' ? imageWgsl(left, buffer, whole) : leftMatrixWgsl(left, buffer, whole);
}

function leftMatrixWgsl(
  { vectors, transposed, axes }: MatrixOperand,
  buffer: FloatBuffer,
  whole: boolean,
): LeftOperandWgsl {
  const base = baseWgsl('leftBase', 'left', axes);
  if (vectors && transposed) {
    return {
      ...{ along: 'other', vectors: 'rows' },
      code: `${base}
fn loadLeft(depth: u32, row4: u32, base: u32) -> vec4<f32> {
  ${behindEnd(whole)}return ${buffer.load('base / 4u + depth * (params.m / 4u) + min(row4, params.m / 4u - 1u)')};
}`,
    };
  }
  const row = 'leftBase(matrix) + min(row, params.m - 1u)';
  const types = (at: string): string => `${base}
alias Row = u32;
alias Column = u32;
fn rowAt(row: u32, matrix: u32) -> Row { return ${at}; }
fn columnAt(depth4: u32, matrix: u32) -> Column { return depth4; }`;
  if (vectors) {
    const element = buffer.load('row + column');
    const load = whole ? element : `select(vec4<f32>(), ${element}, column * 4u < params.k)`;
    return {
      ...{ along: 'depth', vectors: 'depth' },
      code: `${types(`(${row} * params.k) / 4u`)}
fn loadLeft(row: Row, column: Column) -> vec4<f32> { return ${load}; }`,
    };
  }
  const element = (i: number): string => {
    const at = transposed ? `(column * 4u + ${i}u) * params.m + row` : `row + column * 4u + ${i}u`;
    return whole ? buffer.load(at) : `select(0.0, ${buffer.load(at)}, column * 4u + ${i}u < params.k)`;
  };
  return {
    ...{ along: transposed ? 'other' : 'depth', vectors: 'depth' },
    code: `${types(transposed ? row : `${row} * params.k`)}
fn loadLeft(row: Row, column: Column) -> vec4<f32> {
  return vec4<f32>(${[0, 1, 2, 3].map(element).join(', ')});
}`,
  };
}

function imageWgsl(image: ImageOperand, buffer: FloatBuffer, whole: boolean): LeftOperandWgsl {
  const { channels, pixel, kernel, stride, padding, dilation, vectors } = image;
  const lanes = vectors ? 4 : 1;
  const type = elementType(vectors);
  const taps = kernel[0] * kernel[1];
  // Behind the end of the sum, a tap lies outside of every image.
  const outside = whole ? '' : `\n  if (tap >= ${taps}u) { return Tap(0, -0x40000000, 0, 0u); }`;
  const load = vectors
    ? `alias Column = Tap;
fn columnAt(depth4: u32, matrix: u32) -> Column { return tapAt(depth4, matrix); }
fn loadLeft(row: Row, column: Column) -> vec4<f32> { return loadTap(row, column); }`
    : `alias Column = array<Tap, 4>;
fn columnAt(depth4: u32, matrix: u32) -> Column {
  return Column(${[0, 1, 2, 3].map((i) => `tapAt(depth4 * 4u + ${i}u, matrix)`).join(', ')});
}
fn loadLeft(row: Row, column: Column) -> vec4<f32> {
  return vec4<f32>(${[0, 1, 2, 3].map((i) => `loadTap(row, column[${i}])`).join(', ')});
}`;
  return {
    ...{ along: 'depth', vectors: 'depth' },
    code: `// The input pixel under the kernel's first tap, and its number in the image (which it may lie outside of).
struct Row { first: i32, y: i32, x: i32 }
struct Tap { pixel: i32, y: i32, x: i32, channel: u32 }
fn rowAt(row: u32, matrix: u32) -> Row {
  let at = min(row, params.m - 1u);
  let line = at / params.outWidth;
  let y = i32(line % params.outHeight) * ${stride[0]} - ${padding[0]};
  let x = i32(at % params.outWidth) * ${stride[1]} - ${padding[1]};
  let image = i32(line / params.outHeight);
  return Row((image * i32(params.height) + y) * i32(params.width) + x, y, x);
}
fn tapAt(depth: u32, matrix: u32) -> Tap {
  let tap = depth / ${channels / lanes}u;${outside}
  let y = i32(tap / ${kernel[1]}u) * ${dilation[0]};
  let x = i32(tap % ${kernel[1]}u) * ${dilation[1]};
  return Tap(y * i32(params.width) + x, y, x, matrix * ${channels / lanes}u + depth % ${channels / lanes}u);
}
fn loadTap(row: Row, tap: Tap) -> ${type} {
  let inside = u32(row.y + tap.y) < params.height && u32(row.x + tap.x) < params.width;
  if (!inside) { return ${type}(); }
  return ${buffer.load(`u32(row.first + tap.pixel) * ${pixel / lanes}u + tap.channel`)};
}
${load}`,
  };
}

/** Leaves a function of `depth` with zeros behind the sums' end. */
const behindEnd = (whole: boolean): string => (whole ? '' : 'if (depth >= params.k) { return vec4<f32>(); }\n  ');

/** @param whole as for {@link leftWgsl}. */
export function rightWgsl(right: RightOperand, encoding: FloatEncoding, whole: boolean): OperandWgsl {
  const { load } = rightBuffer(right, encoding);
  const guard = behindEnd(whole);
  if (right.kind === 'packed') {
    return {
      along: 'other',
      code: `fn rightBase(matrix: u32) -> u32 {
  return (params.firstMatrix + matrix) * ((params.k + 3u) / 4u * 4u) * params.n4;
}
fn loadRight(depth: u32, column4: u32, base: u32) -> vec4<f32> {
  ${guard}return ${load('base + depth * params.n4 + min(column4, params.n4 - 1u)')};
}`,
    };
  }
  const { transposed, vectors, axes } = right;
  const base = baseWgsl('rightBase', 'right', axes);
  if (vectors) {
    return {
      along: 'other',
      code: `${base}
fn loadRight(depth: u32, column4: u32, base: u32) -> vec4<f32> {
  ${guard}return ${load('base / 4u + depth * params.n4 + min(column4, params.n4 - 1u)')};
}`,
    };
  }
  const element = (i: number): string => {
    const column = `min(column4 * 4u + ${i}u, params.n - 1u)`;
    return load(transposed ? `base + ${column} * params.k + depth` : `base + depth * params.n + ${column}`);
  };
  return {
    along: transposed ? 'depth' : 'other',
    code: `${base}
fn loadRight(depth: u32, column4: u32, base: u32) -> vec4<f32> {
  ${guard}return vec4<f32>(${[0, 1, 2, 3].map(element).join(', ')});
}`,
  };
}

export function resultStorage(result: ProductResult): StorageDeclaration[] {
  if (result.partial) return [['read_write', 'partial', 'array<vec4<f32>>']];
  return [...epilogueStorage(result.epilogue, elementType(result.vectors)), resultBuffer(result).declaration];
}

const resultBuffer = ({ vectors, encoding }: ProductResult): FloatBuffer =>
  floatBuffer('read_write', 'result', elementType(vectors), encoding);

export function resultWgsl(result: ProductResult): string {
  const { partial, vectors, epilogue } = result;
  if (partial) {
    return `fn store(row: u32, column4: u32, sums: vec4<f32>, matrix: u32, part: u32) {
  if (row >= params.m || column4 >= params.n4) { return; }
  partial[((matrix * params.parts + part) * params.m + row) * params.n4 + column4] = sums;
}`;
  }
  const { store } = resultBuffer(result);
  const finish = epilogueWgsl(epilogue, 'vec4<f32>', elementType(vectors));
  const stores = vectors
    ? `let at = (row * params.rowStride + matrix * params.matrixStride) / 4u + column4;
  ${store('at', 'finish(sums, at, matrix * params.n4 + column4)')}`
    : `let column = column4 * 4u;
  let at = row * params.rowStride + matrix * params.matrixStride + column;
  let finished = finish(sums, at, matrix * params.n + column);
${[0, 1, 2, 3].map((i) => `  if (column + ${i}u < params.n) { ${store(`at + ${i}u`, `finished[${i}]`)} }`).join('\n')}`;
  return `${finish}
fn store(row: u32, column4: u32, sums: vec4<f32>, matrix: u32, part: u32) {
  if (row >= params.m || column4 >= params.n4) { return; }
  ${stores}
}`;
}

/** The host side of the matrix product: how it is cut into workgroups, and its steps. */
import { encodingOf, encodingOfStorage, type FloatEncoding } from '../floats.wgsl.js';
import {
  defineShader,
  gpuScratch,
  linearGrid,
  read,
  write,
  type WebGpuBinding,
  type WebGpuMachine,
  type WebGpuResource,
  type WebGpuStep,
} from '../program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock, type UniformBlock } from '../wgsl.js';
import { noEpilogue, type EpilogueShape } from './epilogue.wgsl.js';
import {
  axesUniforms,
  imageUniforms,
  leftBuffer,
  leftWgsl,
  packedUniforms,
  resultStorage,
  resultUniforms,
  resultWgsl,
  rightBuffer,
  rightWgsl,
  type LeftOperand,
  type ProductResult,
  type RightOperand,
} from './gemm-operands.wgsl.js';
import { gemmUniforms, gemmWgsl } from './gemm.wgsl.js';
import { chooseLaunch, stagedVectors, type Launch, type ProductShape, type Tile } from './tiles.js';

export interface Product extends ProductShape {
  readonly left: LeftOperand;
  readonly right: RightOperand;
  readonly leftFrom: WebGpuResource;
  readonly rightFrom: WebGpuResource;
  /** The uniforms of the operands by name. */
  readonly uniforms: Readonly<Record<string, number>>;
  readonly to: WebGpuResource;
  /** Elements of the result from one row, and from one matrix, to the next. */
  readonly rowStride: number;
  readonly matrixStride: number;
  readonly epilogue: EpilogueShape;
  readonly epilogueBindings: readonly WebGpuBinding[];
}

interface GemmParams {
  readonly tile: Tile;
  /** Not on software GPUs. */
  readonly unrolled: boolean;
  /** Whether every step along the sums fills the tile's depth. */
  readonly whole: boolean;
  readonly left: LeftOperand;
  readonly right: RightOperand;
  readonly leftEncoding: FloatEncoding;
  readonly rightEncoding: FloatEncoding;
  readonly result: ProductResult;
}

type AnyUniforms = UniformBlock<Readonly<Record<string, 'u32'>>>;

function gemmBlock(left: LeftOperand, right: RightOperand): AnyUniforms {
  const ofLeft = left.kind === 'image' ? imageUniforms : axesUniforms(left.axes);
  const ofRight = right.kind === 'packed' ? packedUniforms : [];
  const names = [...gemmUniforms, ...resultUniforms, ...ofLeft, ...ofRight];
  return uniformBlock(Object.fromEntries(names.map((name) => [name, 'u32' as const])));
}

const gemmShader = defineShader('gemm', (params: GemmParams) => {
  const { tile, unrolled, whole, left, right, leftEncoding, rightEncoding, result } = params;
  const operands = [leftBuffer(left, leftEncoding).declaration, rightBuffer(right, rightEncoding).declaration];
  return gemmWgsl({
    ...{ tile, unrolled },
    declarations: `${storage(...operands, ...resultStorage(result))}\n${gemmBlock(left, right).wgsl}`,
    left: leftWgsl(left, leftEncoding, whole),
    right: rightWgsl(right, rightEncoding, whole),
    result: resultWgsl(result),
  });
});

const sumInvocations = 64;
const sumBlock = uniformBlock({
  ...{ m: 'u32', n: 'u32', n4: 'u32', parts: 'u32', count: 'u32', rowStride: 'u32', matrixStride: 'u32' },
});

/** Adds up the parts of split sums, as {@link gemmShader} leaves them. */
const sumPartsShader = defineShader('gemmSumParts', (result: ProductResult & { partial: false }) => {
  return `${storage(['read', 'partial', 'array<vec4<f32>>'], ...resultStorage(result))}
${sumBlock.wgsl}
${resultWgsl(result)}
@compute @workgroup_size(${sumInvocations}) fn main(${linearBuiltins}) {
  let at = ${linearInvocation(sumInvocations)};
  if (at >= params.count) { return; }
  let column4 = at % params.n4;
  let line = at / params.n4;
  let row = line % params.m;
  let matrix = line / params.m;
  var sums = vec4<f32>();
  for (var part = 0u; part < params.parts; part++) {
    sums += partial[((matrix * params.parts + part) * params.m + row) * params.n4 + column4];
  }
  store(row, column4, sums, matrix, 0u);
}
`;
});

/** The steps that compute `result = epilogue(left · right)` for each matrix; no work leaves no step. */
export function product(p: Product, machine: WebGpuMachine): WebGpuStep[] {
  if (p.matrices * p.m * p.n === 0) return [];
  const { leftEncoding, rightEncoding } = encodingsOf(p, machine);
  const kindOf = (kind: string, encoding: FloatEncoding): string => (encoding === 'f32' ? kind : `${kind} halves`);
  const operands = `${kindOf(p.left.kind, leftEncoding)} and ${kindOf(p.right.kind, rightEncoding)}`;
  return launchProduct(
    p,
    chooseLaunch(p, machine, operands, (tile) => takesTile(p.left, tile)),
    machine,
  );
}

/** Whether the left operand can be brought into a tile. */
function takesTile(left: LeftOperand, tile: Tile): boolean {
  // An image whose channels are no vectors is read element by element, with four borders to look at each time: the loop is
  // unrolled, and compilers need minutes and gigabytes for eight such vectors.
  if (left.kind === 'image') return left.vectors || stagedVectors(tile) <= 2;
  // An invocation has all four rows of a vector.
  return !(left.transposed && left.vectors) || tile.invocationRows % 4 === 0;
}

/** How the operands lie in memory. */
function encodingsOf(
  { leftFrom, right, rightFrom }: Product,
  machine: WebGpuMachine,
): Pick<GemmParams, 'leftEncoding' | 'rightEncoding'> {
  const packed = right.kind === 'packed' && encodingOfStorage(right.half ? 'f16' : 'f32', machine.f16);
  return { leftEncoding: encodingOf(leftFrom, machine), rightEncoding: packed || encodingOf(rightFrom, machine) };
}

/** {@link product} with given launch parameters, of at least one element. */
export function launchProduct(p: Product, { tile, splits, shapes }: Launch, machine: WebGpuMachine): WebGpuStep[] {
  const { matrices, m, n, k, left, right, rowStride, matrixStride, epilogue } = p;
  const n4 = Math.ceil(n / 4);
  const affordable = Math.max(1, Math.min(splits, Math.floor(machine.maxBindingBytes / (matrices * m * n4 * 16))));
  const partDepth = Math.max(1, Math.ceil(k / affordable / tile.depth)) * tile.depth;
  const parts = Math.max(1, Math.ceil(k / partDepth));
  const rowTiles = Math.ceil(m / tile.rows);
  const columnTiles = Math.ceil(n / tile.columns);
  const blocks = matrices * parts * rowTiles * columnTiles;
  const vectors = [n, rowStride, matrixStride].every((length) => length % 4 === 0);
  const sizes = { m, n, k, n4, parts, partDepth, rowTiles, columnTiles, blocks, rowStride, matrixStride };
  const whole = k % tile.depth === 0;
  const finish = [...p.epilogueBindings, write(p.to)];
  const encoding = encodingOf(p.to, machine);
  const partial = parts > 1 ? gpuScratch(matrices * parts * m * n4 * 16) : undefined;
  const result = partial
    ? { partial: true, vectors: true, encoding: 'f32' as const, epilogue: noEpilogue }
    : { partial: false, vectors, encoding, epilogue };
  const launch = shapes === undefined ? {} : { launch: shapes };
  const step: WebGpuStep = {
    shader: gemmShader({ tile, unrolled: !machine.software, whole, left, right, ...encodingsOf(p, machine), result }),
    bindings: [read(p.leftFrom), read(p.rightFrom), ...(partial ? [write(partial)] : finish)],
    uniforms: gemmBlock(left, right).words({ firstMatrix: 0, ...sizes, ...p.uniforms }),
    workgroups: linearGrid(blocks, machine),
    ...launch,
  };
  if (!partial) return [step];
  const count = matrices * m * n4;
  const sum: WebGpuStep = {
    shader: sumPartsShader({ partial: false, vectors, encoding, epilogue }),
    bindings: [read(partial), ...finish],
    uniforms: sumBlock.words({ m, n, n4, parts, count, rowStride, matrixStride }),
    workgroups: linearGrid(Math.ceil(count / sumInvocations), machine),
    ...launch,
  };
  return [step, sum];
}

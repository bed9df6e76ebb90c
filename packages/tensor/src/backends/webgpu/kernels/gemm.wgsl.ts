/**
 * The matrix product as a shader. A workgroup computes a tile of the result: step by step along the sums it stages a
 * piece of either operand in workgroup memory, from which each invocation updates a block of sums in its registers.
 *
 * The shader is put together from three parts: how the left operand is read (a matrix, or what a convolution sees of an
 * image), how the right one is, and what becomes of the sums.
 */
import { linearBuiltins, linearWorkgroup } from '../wgsl.js';
import { invocationsOf, type Tile } from './tiles.js';

/** How an operand is read, four elements at a time. */
export interface OperandWgsl {
  readonly code: string;
  /** The axis along which memory is contiguous: neighbouring invocations read along it. */
  readonly along: 'depth' | 'other';
}

/** The parts of the shader; their functions may read the uniforms {@link gemmUniforms} and more of their own. */
export interface GemmParts {
  readonly tile: Tile;
  readonly declarations: string;
  /**
   * Declares the types `Row` and `Column`, `rowAt(row, matrix) -> Row`, `columnAt(depth4, matrix) -> Column` and
   * `loadLeft(row: Row, column: Column)`: four elements along the sum, 0 behind its end. Rows behind the last one may
   * be anything.
   */
  readonly left: OperandWgsl;
  /**
   * Declares `rightBase(matrix) -> u32` and `loadRight(depth, column4, base)`: four elements along a row, 0 behind the
   * sum's end. Columns behind the last one may be anything.
   */
  readonly right: OperandWgsl;
  /** Declares `store(row, column4, sums, matrix, part)`, which leaves out what is not part of the result. */
  readonly result: string;
}

/** Names of the sizes that the shader itself reads, all u32. */
export const gemmUniforms = [
  // Rows and columns of the result, and terms of its sums.
  ...['m', 'n', 'k'],
  // Columns in vectors of four, the last one padded.
  'n4',
  // Into how many parts each sum is split, and the terms of a part: a multiple of the tile's depth.
  ...['parts', 'partDepth'],
  // Tiles of the result, and workgroups in all.
  ...['rowTiles', 'columnTiles', 'blocks'],
] as const;

export function gemmWgsl({ tile, declarations, left, right, result }: GemmParts): string {
  const { rows, columns, depth, invocationRows, invocationColumns, prefetch } = tile;
  const invocations = invocationsOf(tile);
  const [depth4, columns4] = [depth / 4, columns / 4];
  const [down, across] = [rows / invocationRows, columns / invocationColumns];
  // One vector more than needed, so that neighbouring rows lie in different banks.
  const pitch = depth4 + 1;
  const [blockRows, blockColumns] = [range(invocationRows), range(invocationColumns / 4)];

  const leftPieces = pieces(rows * depth4, invocations).map(({ index, guard }, i) => ({
    ...{ row: `row${i}`, guard },
    ...(left.along === 'depth'
      ? { tileRow: `(${index}) / ${depth4}u`, at: `(${index}) % ${depth4}u` }
      : { tileRow: `(${index}) % ${rows}u`, at: `(${index}) / ${rows}u` }),
  }));
  const rightPieces = pieces(depth * columns4, invocations).map(({ index, guard }) => ({
    guard,
    ...(right.along === 'other'
      ? { at: `(${index}) / ${columns4}u`, column: `(${index}) % ${columns4}u` }
      : { at: `(${index}) % ${depth}u`, column: `(${index}) / ${depth}u` }),
  }));
  // Where an invocation's pieces of the left operand all lie in the same columns, these are found once.
  const oneColumn = left.along === 'depth' && invocations % depth4 === 0;

  const load = (step4: string): string[] => [
    ...(oneColumn ? [`    let column = columnAt(${step4} + local % ${depth4}u, matrix);`] : []),
    ...leftPieces.map(({ row, at, guard }, i) => {
      const column = oneColumn ? 'column' : `columnAt(${step4} + ${at}, matrix)`;
      return `    ${guard}{ leftPiece${i} = loadLeft(${row}, ${column}); }`;
    }),
    ...rightPieces.map(({ at, column, guard }, i) => {
      const place = `(${step4}) * 4u + ${at}, firstColumn4 + ${column}`;
      return `    ${guard}{ rightPiece${i} = loadRight(${place}, base); }`;
    }),
  ];
  const stage = [
    ...leftPieces.map(
      ({ tileRow, at, guard }, i) => `    ${guard}{ leftTile[(${tileRow}) * ${pitch}u + ${at}] = leftPiece${i}; }`,
    ),
    ...rightPieces.map(
      ({ at, column, guard }, i) => `    ${guard}{ rightTile[(${at}) * ${columns4}u + ${column}] = rightPiece${i}; }`,
    ),
    '    workgroupBarrier();',
  ];
  const loadNext = [`    if (step4 + ${depth4}u < end4) {`, ...load(`step4 + ${depth4}u`), '    }'];

  return `${declarations}
${left.code}
${right.code}
${result}
var<workgroup> leftTile: array<vec4<f32>, ${rows * pitch}>;
var<workgroup> rightTile: array<vec4<f32>, ${depth * columns4}>;

@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let block = ${linearWorkgroup};
  if (block >= params.blocks) { return; }
  let firstColumn4 = (block % params.columnTiles) * ${columns4}u;
  let band = block / params.columnTiles;
  let firstRow = (band % params.rowTiles) * ${rows}u;
  let share = band / params.rowTiles;
  let part = share % params.parts;
  let matrix = share / params.parts;
  let across = local % ${across}u;
  let down = local / ${across}u;
  let base = rightBase(matrix);
${lines(leftPieces.map(({ row, tileRow }) => `  let ${row} = rowAt(firstRow + ${tileRow}, matrix);`))}
${lines(blockRows.map((r) => `  ${blockColumns.map((c) => `var sum${r}_${c} = vec4<f32>();`).join(' ')}`))}

${lines(leftPieces.map((_, i) => `  var leftPiece${i} = vec4<f32>();`))}
${lines(rightPieces.map((_, i) => `  var rightPiece${i} = vec4<f32>();`))}
  let end4 = (min((part + 1u) * params.partDepth, params.k) + 3u) / 4u;
  var step4 = part * (params.partDepth / 4u);
${prefetch ? lines(['  {', ...load('step4'), '  }']) : ''}
  for (; step4 < end4; step4 += ${depth4}u) {
${lines(prefetch ? [...stage, ...loadNext] : [...load('step4'), ...stage])}
    for (var at = 0u; at < ${depth4}u; at++) {
${lines(blockRows.map((r) => `      let left${r} = leftTile[(down + ${r * down}u) * ${pitch}u + at];`))}
${lines([...'xyzw'].map((lane, i) => `      {\n${multiplyAdd(lane, i)}\n      }`))}
    }
    workgroupBarrier();
  }

${lines(
  blockRows.flatMap((r) =>
    blockColumns.map(
      (c) =>
        `  store(firstRow + down + ${r * down}u, firstColumn4 + across + ${c * across}u, sum${r}_${c}, matrix, part);`,
    ),
  ),
)}
}
`;

  /** The terms of one step along the sums: the lane's number is that of the row of the right tile. */
  function multiplyAdd(lane: string, number: number): string {
    const row = `(at * 4u + ${number}u) * ${columns4}u`;
    return lines([
      ...blockColumns.map((c) => `        let right${c} = rightTile[${row} + across + ${c * across}u];`),
      ...blockRows.map((r) => {
        const sums = blockColumns.map(
          (c) => `sum${r}_${c} = fma(vec4<f32>(left${r}.${lane}), right${c}, sum${r}_${c});`,
        );
        return `        ${sums.join(' ')}`;
      }),
    ]);
  }
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const lines = (code: readonly string[]): string => code.join('\n');

/** Shares `total` pieces out to the invocations; where that does not come out even, the last share is guarded. */
function pieces(total: number, invocations: number): { readonly index: string; readonly guard: string }[] {
  return range(Math.ceil(total / invocations)).map((i) => {
    const index = i === 0 ? 'local' : `local + ${i * invocations}u`;
    return { index, guard: (i + 1) * invocations > total ? `if (${index} < ${total}u) ` : '' };
  });
}

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

/** The left operand's four elements lie along the sum, or are of four rows at one place of it. */
export interface LeftOperandWgsl extends OperandWgsl {
  readonly vectors: 'depth' | 'rows';
}

/** The parts of the shader; their functions may read the uniforms {@link gemmUniforms} and more of their own. */
export interface GemmParts {
  readonly tile: Tile;
  /** Whether the steps of a tile are written out one by one, which saves a sixth of the time on an H200. */
  readonly unrolled: boolean;
  readonly declarations: string;
  /**
   * Of vectors along the sum: declares the types `Row` and `Column`, `rowAt(row, matrix) -> Row`,
   * `columnAt(depth4, matrix) -> Column` and `loadLeft(row: Row, column: Column)`. Of vectors of rows: `leftBase(matrix)` and
   * `loadLeft(depth, row4, base)`. Elements behind the sum's end are 0, rows behind the last one may be anything.
   */
  readonly left: LeftOperandWgsl;
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

export function gemmWgsl({ tile, unrolled, declarations, left, right, result }: GemmParts): string {
  const { rows, columns, depth, invocationRows, invocationColumns, prefetch } = tile;
  const invocations = invocationsOf(tile);
  const [depth4, rows4, columns4] = [depth / 4, rows / 4, columns / 4];
  const [down, across] = [rows / invocationRows, columns / invocationColumns];
  const [blockRows, blockColumns] = [range(invocationRows), range(invocationColumns / 4)];
  const ofRows = left.vectors === 'rows';
  // One vector more than needed, so that neighbouring rows lie in different banks.
  const pitch = depth4 + 1;
  // The row of the tile that is the block's row `r`: vectors of rows come whole.
  const tileRow = (r: number): string =>
    ofRows ? `(down + ${(r >> 2) * down}u) * 4u + ${r % 4}u` : `down + ${r * down}u`;

  const leftPieces = pieces(rows * depth4, invocations).map(({ index, guard }, i) => {
    const [inner, outer] = [`(${index}) % `, `(${index}) / `];
    if (ofRows) {
      const [at, row] = [`${outer}${rows4}u`, `${inner}${rows4}u`];
      return { row, guard, at, setUp: '', place: `(${at}) * ${rows4}u + ${row}` };
    }
    const alongDepth = left.along === 'depth';
    const at = alongDepth ? `${inner}${depth4}u` : `${outer}${rows}u`;
    const row = alongDepth ? `${outer}${depth4}u` : `${inner}${rows}u`;
    const setUp = `  let row${i} = rowAt(firstRow + ${row}, matrix);`;
    return { row: `row${i}`, guard, at, setUp, place: `(${row}) * ${pitch}u + ${at}` };
  });
  const rightPieces = pieces(depth * columns4, invocations).map(({ index, guard }) => ({
    guard,
    ...(right.along === 'other'
      ? { at: `(${index}) / ${columns4}u`, column: `(${index}) % ${columns4}u` }
      : { at: `(${index}) % ${depth}u`, column: `(${index}) / ${depth}u` }),
  }));
  // Where an invocation's pieces of the left operand all lie in the same columns, these are found once.
  const oneColumn = !ofRows && left.along === 'depth' && invocations % depth4 === 0;

  const load = (step4: string): string[] => [
    ...(oneColumn ? [`    let column = columnAt(${step4} + local % ${depth4}u, matrix);`] : []),
    ...leftPieces.map(({ row, at, guard }, i) => {
      const column = oneColumn ? 'column' : `columnAt(${step4} + ${at}, matrix)`;
      const from = ofRows ? `(${step4}) * 4u + ${at}, firstRow / 4u + ${row}, fromLeft` : `${row}, ${column}`;
      return `    ${guard}{ leftPiece${i} = loadLeft(${from}); }`;
    }),
    ...rightPieces.map(({ at, column, guard }, i) => {
      const place = `(${step4}) * 4u + ${at}, firstColumn4 + ${column}`;
      return `    ${guard}{ rightPiece${i} = loadRight(${place}, base); }`;
    }),
  ];
  const stage = [
    ...leftPieces.map(({ place, guard }, i) => `    ${guard}{ leftTile[${place}] = leftPiece${i}; }`),
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
var<workgroup> leftTile: array<vec4<f32>, ${ofRows ? depth * rows4 : rows * pitch}>;
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
${ofRows ? '  let fromLeft = leftBase(matrix);' : lines(leftPieces.map(({ setUp }) => setUp))}
${lines(blockRows.map((r) => `  ${blockColumns.map((c) => `var sum${r}_${c} = vec4<f32>();`).join(' ')}`))}

${lines(leftPieces.map((_, i) => `  var leftPiece${i} = vec4<f32>();`))}
${lines(rightPieces.map((_, i) => `  var rightPiece${i} = vec4<f32>();`))}
  let end4 = (min((part + 1u) * params.partDepth, params.k) + 3u) / 4u;
  var step4 = part * (params.partDepth / 4u);
${prefetch ? lines(['  {', ...load('step4'), '  }']) : ''}
  for (; step4 < end4; step4 += ${depth4}u) {
${lines(prefetch ? [...stage, ...loadNext] : [...load('step4'), ...stage])}
${unrolled ? lines(range(depth4).map((at) => multiply(`${at}u`))) : `    for (var at = 0u; at < ${depth4}u; at++) {\n${multiply('at')}\n    }`}
    workgroupBarrier();
  }

${lines(
  blockRows.flatMap((r) =>
    blockColumns.map(
      (c) => `  store(firstRow + ${tileRow(r)}, firstColumn4 + across + ${c * across}u, sum${r}_${c}, matrix, part);`,
    ),
  ),
)}
}
`;

  /** Four terms of every sum: those of a step `at`, in WGSL. */
  function multiply(at: string): string {
    const vectorsOf = (count: number, place: (r: number) => string): string[] =>
      range(count).map((r) => `      let left${r} = leftTile[${place(r)}];`);
    if (!ofRows) {
      return lines([
        '    {',
        ...vectorsOf(invocationRows, (r) => `(${tileRow(r)}) * ${pitch}u + ${at}`),
        ...[...'xyzw'].map((lane, i) => multiplyAdd(at, i, (r) => `left${r}.${lane}`)),
        '    }',
      ]);
    }
    return lines(
      range(4).flatMap((i) => [
        '    {',
        ...vectorsOf(invocationRows / 4, (r) => `(${at} * 4u + ${i}u) * ${rows4}u + down + ${r * down}u`),
        multiplyAdd(at, i, (r) => `left${r >> 2}.${'xyzw'[r % 4]!}`),
        '    }',
      ]),
    );
  }

  /** One term of every sum: the step's term `number`. */
  function multiplyAdd(at: string, number: number, leftOf: (row: number) => string): string {
    const row = `(${at} * 4u + ${number}u) * ${columns4}u`;
    return lines([
      '      {',
      ...blockColumns.map((c) => `        let right${c} = rightTile[${row} + across + ${c * across}u];`),
      ...blockRows.map((r) => {
        const sums = blockColumns.map((c) => `sum${r}_${c} = fma(vec4<f32>(${leftOf(r)}), right${c}, sum${r}_${c});`);
        return `        ${sums.join(' ')}`;
      }),
      '      }',
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

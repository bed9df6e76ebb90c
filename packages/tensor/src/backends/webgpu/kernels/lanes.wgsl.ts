/**
 * Reductions: a workgroup is divided into groups of `lanes` invocations (a power of two), each of which has a row, or a
 * column, to itself and joins its partial results through workgroup memory.
 */

/** Invocations of a workgroup. */
export const laneGroup = 128;

/** How many invocations share a row of `steps` elements or fours of elements. */
export function lanesFor(steps: number): number {
  let lanes = 1;
  while (lanes < laneGroup && lanes * 4 < steps) lanes *= 2;
  return lanes;
}

/** Rows that a workgroup works on. */
export const rowsPerGroup = (lanes: number): number => laneGroup / lanes;

/**
 * `fn name(value) -> type`: the values of all lanes of a row joined by `join`, a WGSL expression of `a` and `b`. To be
 * called by all invocations of a workgroup, and once only: what is read at its end must not be overwritten.
 *
 * @param stride from one lane to the next: neighbouring invocations are lanes of as many different columns.
 */
export function joinLanes(name: string, type: string, lanes: number, join: string, stride = 1): string {
  if (lanes === 1) return `fn ${name}(value: ${type}, local: u32) -> ${type} {\n  return value;\n}`;
  const lane = stride === 1 ? `local % ${lanes}u` : `local / ${stride}u % ${lanes}u`;
  const first = stride === 1 ? `local - ${lane}` : `local - (${lane}) * ${stride}u`;
  return `var<workgroup> ${name}Parts: array<${type}, ${laneGroup}>;
fn ${name}(value: ${type}, local: u32) -> ${type} {
  ${name}Parts[local] = value;
  workgroupBarrier();
  for (var reach = ${lanes / 2}u; reach > 0u; reach /= 2u) {
    if (${lane} < reach) {
      let a = ${name}Parts[local];
      let b = ${name}Parts[local + reach${stride === 1 ? '' : ` * ${stride}u`}];
      ${name}Parts[local] = ${join};
    }
    workgroupBarrier();
  }
  return ${name}Parts[${first}];
}`;
}

/** Declares `lane` and `row` in `main`; rows beyond `params.rows` work on the last one and must not be stored. */
export const laneIndices = (lanes: number): string => `  let lane = local % ${lanes}u;
  let place = (group.y * groups.x + group.x) * ${rowsPerGroup(lanes)}u + local / ${lanes}u;
  let row = min(place, params.rows - 1u);`;

/** How `width` neighbouring columns are shared out: those of a workgroup, and the lanes that each of them has. */
export interface ColumnShape {
  readonly columns: number;
  readonly lanes: number;
}

/** Columns of a workgroup, which read a stretch of memory side by side. */
const mostColumns = 16;

export function columnShape(width: number): ColumnShape {
  let columns = 1;
  while (columns < mostColumns && columns < width) columns *= 2;
  return { columns, lanes: laneGroup / columns };
}

/** How columns are divided into parts, one workgroup high each. */
export interface ColumnParts {
  /** Rows of a part. */
  readonly part: number;
  readonly parts: number;
  /** Workgroups side by side. */
  readonly tiles: number;
}

/** Workgroups that keep a large GPU busy. */
const busyGroups = 512;
/** Rows that a lane adds up at least before a part is worth a workgroup of its own, and at most where there is one part. */
const [leastSteps, fewSteps] = [16, 64];

/** @param others how many times there are such columns. */
export function columnParts(width: number, rows: number, { columns, lanes }: ColumnShape, others = 1): ColumnParts {
  const tiles = Math.ceil(width / columns);
  if (rows <= lanes * fewSteps) return { part: Math.max(1, rows), parts: 1, tiles };
  const wanted = Math.max(1, Math.floor(busyGroups / (others * tiles)));
  const part = Math.max(lanes * leastSteps, Math.ceil(rows / wanted));
  return { part, parts: Math.ceil(rows / part), tiles };
}

/**
 * Declares `lane`, `line`, the column `c` and whether its result is `stored` here in `main`, for workgroups numbered by line, then
 * by `params.tiles`. Columns beyond `params.width` and lines beyond `params.lines`, which fill the grid up, are not stored.
 */
export const columnIndices = ({ columns }: ColumnShape): string => `  let number = group.y * groups.x + group.x;
  let line = number / params.tiles;
  let lane = local / ${columns}u;
  let place = number % params.tiles * ${columns}u + local % ${columns}u;
  let c = min(place, params.width - 1u);
  let stored = lane == 0u && place < params.width && line < params.lines;`;

/**
 * Joins the elements `start`, `start + step`, … below `count` to `into`, four at a time, so that they are read side by side,
 * and in runs: rounding errors of a sum grow with the longest chain of additions.
 *
 * @param join WGSL of the join of two values. @param idle the value of none. @param element WGSL of the element `k`.
 */
export const joinRuns = (
  into: readonly string[],
  {
    idle,
    join,
    element,
  }: {
    readonly idle: (i: number) => string;
    readonly join: (a: string, b: string) => string;
    readonly element: (k: string, i: number) => string;
  },
  start: string,
  step: number,
): string => {
  const four = (i: number): string => {
    const [a, b, c, d] = [0, 1, 2, 3].map((n) => element(n === 0 ? 'k' : `k + ${n * step}u`, i)) as [
      string,
      string,
      string,
      string,
    ];
    return join(join(a, b), join(c, d));
  };
  const each = (line: (name: string, i: number) => string): string => into.map(line).join('\n');
  return `${each((name, i) => `  var ${name} = ${idle(i)};`)}
  for (var k = ${start}; k < count;) {
    let end = min(k + ${64 * step}u, count);
${each((name, i) => `    var ${name}Run = ${idle(i)};`)}
    for (; k + ${3 * step}u < end; k += ${4 * step}u) {
${each((name, i) => `      ${name}Run = ${join(`${name}Run`, four(i))};`)}
    }
    for (; k < end; k += ${step}u) {
${each((name, i) => `      ${name}Run = ${join(`${name}Run`, element('k', i))};`)}
    }
${each((name) => `    ${name} = ${join(name, `${name}Run`)};`)}
  }`;
};

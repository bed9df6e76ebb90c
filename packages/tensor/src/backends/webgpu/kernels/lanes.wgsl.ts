/**
 * Reductions along rows: a workgroup is divided into groups of `lanes` invocations (a power of two), each of which has a
 * row to itself and joins its partial results through workgroup memory.
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
 */
export function joinLanes(name: string, type: string, lanes: number, join: string): string {
  if (lanes === 1) return `fn ${name}(value: ${type}, local: u32) -> ${type} {\n  return value;\n}`;
  return `var<workgroup> ${name}Parts: array<${type}, ${laneGroup}>;
fn ${name}(value: ${type}, local: u32) -> ${type} {
  ${name}Parts[local] = value;
  workgroupBarrier();
  for (var reach = ${lanes / 2}u; reach > 0u; reach /= 2u) {
    if (local % ${lanes}u < reach) {
      let a = ${name}Parts[local];
      let b = ${name}Parts[local + reach];
      ${name}Parts[local] = ${join};
    }
    workgroupBarrier();
  }
  return ${name}Parts[local - local % ${lanes}u];
}`;
}

/** Declares `lane` and `row` in `main`; rows beyond `params.rows` work on the last one and must not be stored. */
export const laneIndices = (lanes: number): string => `  let lane = local % ${lanes}u;
  let place = (group.y * groups.x + group.x) * ${rowsPerGroup(lanes)}u + local / ${lanes}u;
  let row = min(place, params.rows - 1u);`;

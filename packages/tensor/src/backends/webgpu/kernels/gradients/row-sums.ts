import {
  defineShader,
  gpuScratch,
  linearGrid,
  read,
  write,
  type WebGpuMachine,
  type WebGpuResource,
  type WebGpuStep,
} from '../../program.js';
import { linearBuiltins, storage, uniformBlock } from '../../wgsl.js';
import { unitOf, vectorOf, type Unit } from '../images.js';
import {
  columnIndices,
  columnParts,
  columnShape,
  joinLanes,
  joinRuns,
  laneGroup,
  type ColumnShape,
} from '../lanes.wgsl.js';
import { reduce } from '../reduce.js';

/** Two sums over rows for each channel, of expressions of what lies at `at`, in `row` and in channel `c`. */
export interface RowSums {
  readonly rows: number;
  readonly channels: number;
  /** Tensors `[rows, channels]`; `name[at]` in the expressions. */
  readonly inputs: Readonly<Record<string, WebGpuResource>>;
  /** Tensors `[channels]`; `name[c]`. */
  readonly channelInputs?: Readonly<Record<string, WebGpuResource>>;
  /** Tensors with one element of their type for each row; `name[row]`. */
  readonly rowInputs?: Readonly<Record<string, { readonly resource: WebGpuResource; readonly type: string }>>;
  /** WGSL for one channel or four. */
  readonly first: string;
  readonly second: string;
  /** `[channels]` each. */
  readonly results: readonly [WebGpuResource, WebGpuResource];
  /** `params.eps`. Default: 0. */
  readonly eps?: number;
}

const uniforms = uniformBlock({ width: 'u32', rows: 'u32', lines: 'u32', part: 'u32', tiles: 'u32', eps: 'f32' });

interface SumsShape extends ColumnShape, Pick<RowSums, 'first' | 'second'> {
  readonly unit: Unit;
  readonly inputs: readonly string[];
  readonly channelInputs: readonly string[];
  readonly rowInputs: readonly (readonly [name: string, type: string])[];
}

const rowSumsShader = defineShader('rowSums', (sums: SumsShape) => {
  const { unit, inputs, channelInputs, rowInputs, columns, lanes } = sums;
  const type = vectorOf(unit);
  const elements = `array<${type}>`;
  const names = ['first', 'second'] as const;
  return `${storage(
    ...[...inputs, ...channelInputs].map((name) => ['read', name, elements] as const),
    ...rowInputs.map(([name, rowType]) => ['read', name, `array<${rowType}>`] as const),
    ['read_write', 'firsts', elements],
    ['read_write', 'seconds', elements],
  )}
${uniforms.wgsl}
${names
  .map(
    (name) => `${joinLanes(`${name}Joined`, type, lanes, 'a + b', columns)}
fn ${name}Term(row: u32, c: u32) -> ${type} {
  let at = row * params.width + c;
  return ${sums[name]};
}`,
  )
  .join('\n')}
@compute @workgroup_size(${laneGroup})
fn main(${linearBuiltins}) {
${columnIndices(sums)}
  let begin = line * params.part;
  let count = min(params.part, params.rows - begin);
${joinRuns(
  names,
  {
    idle: () => `${type}(0.0)`,
    join: (a, b) => `(${a} + ${b})`,
    element: (k, i) => `${names[i]!}Term(begin + ${k}, c)`,
  },
  'lane',
  lanes,
)}
  let firstTotal = firstJoined(first, local);
  let secondTotal = secondJoined(second, local);
  if (stored) {
    firsts[line * params.width + c] = firstTotal;
    seconds[line * params.width + c] = secondTotal;
  }
}`;
});

/** The steps of two sums over rows: parts of the rows side by side, whose sums are then joined in order. */
export function rowSums(sums: RowSums, machine: WebGpuMachine): readonly WebGpuStep[] {
  const { rows, channels, inputs, channelInputs = {}, rowInputs = {}, first, second, results, eps = 0 } = sums;
  const unit = unitOf(channels);
  const width = channels / unit;
  const columns = columnShape(width);
  const { part, parts, tiles } = columnParts(width, rows, columns);
  const [firsts, seconds] = parts === 1 ? results : [0, 1].map(() => gpuScratch(parts * channels * 4));
  const shape = {
    ...{ unit, ...columns },
    inputs: Object.keys(inputs),
    channelInputs: Object.keys(channelInputs),
    rowInputs: Object.entries(rowInputs).map(([name, { type }]) => [name, type] as const),
    first,
    second,
  };
  const resources = [
    ...Object.values(inputs),
    ...Object.values(channelInputs),
    ...Object.values(rowInputs).map(({ resource }) => resource),
  ];
  const step = {
    shader: rowSumsShader(shape),
    bindings: [...resources.map(read), write(firsts!), write(seconds!)],
    uniforms: uniforms.words({ width, rows, lines: parts, part, tiles, eps }),
    workgroups: linearGrid(parts * tiles, machine),
  };
  if (parts === 1) return [step];
  const join = { join: 'sum', outer: 1, length: parts, inner: channels, divisor: 1 } as const;
  return [step, ...reduce(firsts!, results[0], join, machine), ...reduce(seconds!, results[1], join, machine)];
}

import {
  defineShader,
  gpuScratch,
  read,
  write,
  type WebGpuMachine,
  type WebGpuResource,
  type WebGpuStep,
} from '../../program.js';
import { flatGrid, flatMain, storage, uniformBlock } from '../../wgsl.js';
import { unitOf, vectorOf, type Unit } from '../images.js';
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

/** Invocations that keep a large GPU busy: with fewer channels, rows are added up in parts. */
const busy = 32768;
/** Rows below which a part is not worth a step of its own. */
const leastRows = 32;

const uniforms = uniformBlock({ count: 'u32', width: 'u32', rows: 'u32', part: 'u32', eps: 'f32' });

interface SumsShape extends Pick<RowSums, 'first' | 'second'> {
  readonly unit: Unit;
  readonly inputs: readonly string[];
  readonly channelInputs: readonly string[];
  readonly rowInputs: readonly (readonly [name: string, type: string])[];
}

/** Terms are added up in runs: rounding errors grow with the longest chain of additions. */
const rowSumsShader = defineShader(
  'rowSums',
  ({ unit, inputs, channelInputs, rowInputs, first, second }: SumsShape) => {
    const type = vectorOf(unit);
    const elements = `array<${type}>`;
    return `${storage(
      ...[...inputs, ...channelInputs].map((name) => ['read', name, elements] as const),
      ...rowInputs.map(([name, rowType]) => ['read', name, `array<${rowType}>`] as const),
      ['read_write', 'firsts', elements],
      ['read_write', 'seconds', elements],
    )}
${uniforms.wgsl}
${flatMain}
  let c = i % params.width;
  let begin = i / params.width * params.part;
  let end = min(begin + params.part, params.rows);
  var first = ${type}(0.0);
  var second = ${type}(0.0);
  for (var start = begin; start < end; start += 16u) {
    var firstRun = ${type}(0.0);
    var secondRun = ${type}(0.0);
    for (var row = start; row < min(start + 16u, end); row++) {
      let at = row * params.width + c;
      firstRun += ${first};
      secondRun += ${second};
    }
    first += firstRun;
    second += secondRun;
  }
  firsts[i] = first;
  seconds[i] = second;
}`;
  },
);

/** The steps of two sums over rows: parts of the rows side by side, whose sums are then joined in order. */
export function rowSums(sums: RowSums, machine: WebGpuMachine): readonly WebGpuStep[] {
  const { rows, channels, inputs, channelInputs = {}, rowInputs = {}, first, second, results, eps = 0 } = sums;
  const unit = unitOf(channels);
  const width = channels / unit;
  const wanted = Math.max(1, Math.floor(busy / width));
  const part = Math.max(leastRows, Math.ceil(rows / wanted));
  const parts = Math.max(1, Math.ceil(rows / part));
  const [firsts, seconds] = parts === 1 ? results : [0, 1].map(() => gpuScratch(parts * channels * 4));
  const shape = {
    unit,
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
    uniforms: uniforms.words({ count: parts * width, width, rows, part, eps }),
    workgroups: flatGrid(parts * width, machine),
  };
  if (parts === 1) return [step];
  const join = { join: 'sum', outer: 1, length: parts, inner: channels, divisor: 1 } as const;
  return [step, ...reduce(firsts!, results[0], join, machine), ...reduce(seconds!, results[1], join, machine)];
}

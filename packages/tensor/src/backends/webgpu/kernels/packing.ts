/**
 * Weights in the layouts of a matrix product's right operand: `[matrix][terms][columns]`, both padded to fours. They are
 * packed once and kept with the weight, as halves where the machine says so.
 */
import { defineShader, linearGrid, read, write, type WebGpuMachine, type WebGpuOperand } from '../program.js';
import type { WebGpuPrepared } from '../program.js';
import { linearBuiltins, linearInvocation, storage, uniformBlock } from '../wgsl.js';
import { packHalvesWgsl } from './cast.js';

/** The input channels that a product uses of its weight's: the whole weight but for the maps of a pyramid. */
export interface ChannelRange {
  readonly first: number;
  readonly count: number;
}

/** PyTorch's layout of weights: `[matrix][columns][channel][tap]`. */
export interface WeightLayout {
  readonly matrices: number;
  readonly columns: number;
  readonly channels: number;
  readonly taps: number;
  /** Of the channels; default: all of them. */
  readonly range?: ChannelRange;
  /** Whether elements are stored as halves. */
  readonly half: boolean;
}

interface PackShape {
  /** Which of the two the taps are along; the channels are terms always. */
  readonly taps: 'terms' | 'columns';
  readonly half: boolean;
}

const invocations = 64;
const uniforms = uniformBlock({
  // Columns and terms of a packed matrix, and both in fours.
  ...{ n: 'u32', n4: 'u32', k: 'u32', k4: 'u32' },
  // Channels of the weight and those that are packed, from the first on; taps; rows of the weight.
  ...{ allChannels: 'u32', firstChannel: 'u32', channels: 'u32', taps: 'u32', outputs: 'u32' },
  count: 'u32',
});

/** Declares `tap`, `channel` and `output` of a column and a term of a matrix. */
const places: Readonly<Record<PackShape['taps'], string>> = {
  terms: `  let tap = term / params.channels;
  let channel = term % params.channels;
  let output = matrix * params.n + column;`,
  columns: `  let block = params.n / params.taps;
  let tap = column / block;
  let channel = term;
  let output = matrix * block + column % block;`,
};

const packShader = defineShader('packWeights', ({ taps, half }: PackShape) => {
  const element = half ? 'vec2<u32>' : 'vec4<f32>';
  return `${storage(['read', 'weight', 'array<f32>'], ['read_write', 'packed', `array<${element}>`])}
${uniforms.wgsl}
${half ? `${packHalvesWgsl}\n` : ''}fn weightAt(matrix: u32, column: u32, term: u32) -> f32 {
  if (column >= params.n || term >= params.k) { return 0.0; }
${places[taps]}
  if (output >= params.outputs) { return 0.0; }
  return weight[(output * params.allChannels + params.firstChannel + channel) * params.taps + tap];
}
@compute @workgroup_size(${invocations}) fn main(${linearBuiltins}) {
  let at = ${linearInvocation(invocations)};
  if (at >= params.count) { return; }
  let column = at % params.n4 * 4u;
  let row = at / params.n4;
  let term = row % (params.k4 * 4u);
  let matrix = row / (params.k4 * 4u);
  let four = vec4<f32>(
    weightAt(matrix, column, term),
    weightAt(matrix, column + 1u, term),
    weightAt(matrix, column + 2u, term),
    weightAt(matrix, column + 3u, term),
  );
  packed[at] = ${half ? 'pack(bitcast<vec4<u32>>(four))' : 'four'};
}
`;
});

/** The terms run tap by tap, then by channel. */
export function packedWeight(weight: WebGpuOperand, layout: WeightLayout, machine: WebGpuMachine): WebGpuPrepared {
  const { matrices, columns, channels, taps, half, range = { first: 0, count: channels } } = layout;
  const key = `terms × columns, ${matrices}×${columns}×${channels}×${taps}, ${range.first}+${range.count}`;
  const sizes = { matrices, n: columns, k: range.count * taps, allChannels: channels, taps };
  return packed(weight, { key, ...sizes, range, outputs: matrices * columns, along: 'terms', half }, machine);
}

export interface TapsLayout extends Pick<WeightLayout, 'half'> {
  readonly range: ChannelRange;
  /** Outputs of a matrix, a multiple of four. */
  readonly block: number;
  readonly blocks: number;
}

/**
 * A matrix for each block of outputs, the last one filled up with zeros. The terms are channels, the columns run tap by tap,
 * then by output.
 */
export function packedTaps(
  weight: WebGpuOperand,
  { range, block, blocks, half }: TapsLayout,
  machine: WebGpuMachine,
): WebGpuPrepared {
  const [outputs, allChannels, taps] = [weight.shape[0]!, weight.shape[1]!, 9];
  const key = `channels × taps of ${blocks}×${block}, ${range.first}+${range.count}`;
  const sizes = { matrices: blocks, n: taps * block, k: range.count, allChannels, taps };
  return packed(weight, { key, ...sizes, range, outputs, along: 'columns', half }, machine);
}

interface Packing {
  readonly key: string;
  readonly matrices: number;
  readonly n: number;
  readonly k: number;
  readonly allChannels: number;
  readonly range: ChannelRange;
  readonly taps: number;
  readonly outputs: number;
  readonly along: PackShape['taps'];
  readonly half: boolean;
}

function packed(weight: WebGpuOperand, packing: Packing, machine: WebGpuMachine): WebGpuPrepared {
  const { key, matrices, n, k, allChannels, range, taps, outputs, along, half } = packing;
  const [n4, k4] = [Math.ceil(n / 4), Math.ceil(k / 4)];
  const count = matrices * k4 * 4 * n4;
  const rows = { allChannels, firstChannel: range.first, channels: range.count, taps, outputs };
  return {
    kind: 'prepared',
    of: weight,
    key: half ? `${key}, halves` : key,
    bytes: count * (half ? 8 : 16),
    fill: (target) =>
      count === 0
        ? []
        : [
            {
              shader: packShader({ taps: along, half }),
              bindings: [read(weight), write(target)],
              uniforms: uniforms.words({ n, n4, k, k4, ...rows, count }),
              workgroups: linearGrid(Math.ceil(count / invocations), machine),
            },
          ],
  };
}

/**
 * Dense 3×3 convolutions by Winograd's F(4×4, 3×3): the image is cut into tiles of 4×4 outputs, each of which needs 6×6
 * inputs. Transformed, these are 36 matrices `[tile, channel]`; their products with the 36 transformed weights are
 * transformed back. A quarter of the multiplications, at about twice the rounding error of a direct sum.
 */
import { sizeOf } from '../../../shape.js';
import { winogradTile, winogradTiles } from '../../convolution.js';
import { encodingOf, type FloatEncoding, type Lanes } from '../floats.wgsl.js';
import {
  defineShader,
  gpuScratch,
  linearGrid,
  read,
  write,
  type WebGpuMachine,
  type WebGpuOperand,
  type WebGpuPrepared,
  type WebGpuResource,
  type WebGpuStep,
} from '../program.js';
import type { Convolution } from './conv2d.js';
import { noEpilogue } from './epilogue.wgsl.js';
import { product } from './gemm.js';
import type { ChannelRange } from './packing.js';
import {
  inputUniforms,
  outputUniforms,
  transformInvocations,
  weightUniforms,
  winogradInputWgsl,
  winogradOutputWgsl,
  winogradWeightWgsl,
} from './winograd.wgsl.js';

/** Products per tile: 6×6 for 4×4 outputs. */
export const winogradMatrices = 36;
/** Most bytes of the transformed inputs, or of the products, that exist at a time. */
const bandBytes = 2 ** 27;

const inputShader = defineShader('winogradInput', winogradInputWgsl);
const outputShader = defineShader('winogradOutput', winogradOutputWgsl);
const weightShader = defineShader('packWinograd', winogradWeightWgsl);

/**
 * The steps of a convolution. They go over the tiles in bands of even size, so that what lies between the transforms fits
 * the device's buffers.
 */
export function winogradSteps(c: Convolution, machine: WebGpuMachine): WebGpuStep[] {
  const { x, weight, range, y, padding, epilogue, epilogueBindings } = c;
  if (sizeOf(y.shape) === 0) return [];
  const images = x.shape[0]!;
  const [, outHeight, outWidth, outputs] = y.shape as [number, number, number, number];
  const channels = range.count;
  const { tilesY, tilesX, bands } = tileBands(images, [outHeight, outWidth], Math.max(channels, outputs), machine);
  const band = bands[0]!.count;
  const result = c.to ?? y;
  const to = lanesOf(encodingOf(result, machine), outputs);
  const transformed = gpuScratch(winogradMatrices * band * channels * 4);
  const products = gpuScratch(winogradMatrices * band * outputs * 4);
  const steps: WebGpuStep[] = [];
  for (const { firstTile, count: m } of bands) {
    const place = { tilesY, tilesX, firstTile };
    const output = { ...inUnits(m, outputs, to.lanes), ...place };
    steps.push(
      winogradInputStep({ x, transformed, channels, padding, place, tiles: m }, machine),
      ...product(
        {
          ...{ matrices: winogradMatrices, m, n: outputs, k: channels },
          left: { kind: 'matrix', transposed: false, vectors: channels % 4 === 0, axes: 1 },
          leftFrom: transformed,
          right: { kind: 'packed', half: false },
          rightFrom: winogradWeight(weight, range, machine),
          uniforms: { size0: winogradMatrices, left0: m * channels, right0: 0 },
          ...{ to: products, rowStride: outputs, matrixStride: m * outputs },
          ...{ epilogue: noEpilogue, epilogueBindings: [] },
        },
        machine,
      ),
      {
        shader: outputShader({ ...to, epilogue }),
        bindings: [read(products), ...epilogueBindings, write(result)],
        uniforms: outputUniforms.words({ ...output, height: outHeight, width: outWidth }),
        workgroups: linearGrid(Math.ceil(output.count / transformInvocations), machine),
      },
    );
  }
  return steps;
}

/** The tiles of an output, in bands of which the 36 matrices of `channels` columns fit a buffer. */
export function tileBands(
  images: number,
  output: readonly [height: number, width: number],
  channels: number,
  { maxBindingBytes }: WebGpuMachine,
): {
  readonly tilesY: number;
  readonly tilesX: number;
  /** The first one is the largest. */
  readonly bands: readonly { readonly firstTile: number; readonly count: number }[];
} {
  const tiles = winogradTiles({ images, output });
  const most = Math.floor(Math.min(bandBytes, maxBindingBytes) / (winogradMatrices * 4 * channels));
  const band = Math.ceil(tiles / Math.ceil(tiles / Math.max(most, 1)));
  const bands = Array.from({ length: Math.ceil(tiles / band) }, (_, i) => ({
    firstTile: i * band,
    count: Math.min(band, tiles - i * band),
  }));
  return { tilesY: Math.ceil(output[0] / winogradTile), tilesX: Math.ceil(output[1] / winogradTile), bands };
}

interface InputTransform {
  readonly x: WebGpuOperand;
  /** 36 matrices `[tile, channel]`, f32. */
  readonly transformed: WebGpuResource;
  readonly channels: number;
  readonly padding: readonly [number, number];
  readonly place: Readonly<Record<'tilesY' | 'tilesX' | 'firstTile', number>>;
  readonly tiles: number;
}

export function winogradInputStep(
  { x, transformed, channels, padding, place, tiles }: InputTransform,
  machine: WebGpuMachine,
): WebGpuStep {
  const [, height, width] = x.shape as [number, number, number];
  const from = lanesOf(encodingOf(x, machine), channels);
  const units = inUnits(tiles, channels, from.lanes);
  const size = { height, width, paddingY: padding[0], paddingX: padding[1] };
  return {
    shader: inputShader(from),
    bindings: [read(x), write(transformed)],
    uniforms: inputUniforms.words({ ...units, ...place, ...size }),
    workgroups: linearGrid(Math.ceil(units.count / transformInvocations), machine),
  };
}

/** Channels that an invocation transforms: one, or the two halves of a word. */
function lanesOf(
  encoding: FloatEncoding,
  channels: number,
): { readonly encoding: FloatEncoding; readonly lanes: Lanes } {
  return { encoding, lanes: encoding !== 'f32' && channels % 2 === 0 ? 'vec2<f32>' : 'f32' };
}

/** The sizes of the transforms of `tiles` tiles in units of lanes. */
function inUnits(tiles: number, channels: number, lanes: Lanes): Record<'count' | 'channels' | 'matrixStep', number> {
  const units = lanes === 'f32' ? channels : channels / 2;
  return { count: tiles * units, channels: units, matrixStep: tiles * units };
}

/** The 36 transformed weights; f32 always, since the transform of the products multiplies their rounding errors. */
function winogradWeight(weight: WebGpuOperand, range: ChannelRange, machine: WebGpuMachine): WebGpuPrepared {
  const [outputs, allChannels] = weight.shape as [number, number];
  const columns = Math.ceil(outputs / 4) * 4;
  const count = columns * Math.ceil(range.count / 4) * 4;
  const from = { allChannels, firstChannel: range.first, channels: range.count };
  return {
    kind: 'prepared',
    of: weight,
    key: `winograd4, ${range.first}+${range.count}`,
    bytes: winogradMatrices * count * 4,
    fill: (target) => [
      {
        shader: weightShader({}),
        bindings: [read(weight), write(target)],
        uniforms: weightUniforms.words({ count, columns, outputs, ...from }),
        workgroups: linearGrid(Math.ceil(count / transformInvocations), machine),
      },
    ],
  };
}

/**
 * Dense 3×3 convolutions by Winograd's F(4×4, 3×3): the image is cut into tiles of 4×4 outputs, each of which needs 6×6
 * inputs. Transformed, these are 36 matrices `[tile, channel]`; their products with the 36 transformed weights are
 * transformed back. A quarter of the multiplications, at about twice the rounding error of a direct sum.
 */
import { sizeOf } from '../../../shape.js';
import { winogradTiles } from '../../convolution.js';
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
const matrices = 36;
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
  const [images, height, width] = x.shape as [number, number, number];
  const [, outHeight, outWidth, outputs] = y.shape as [number, number, number, number];
  const channels = range.count;
  const tilesY = Math.ceil(outHeight / 4);
  const tilesX = Math.ceil(outWidth / 4);
  const tiles = winogradTiles({ images, output: [outHeight, outWidth] });
  const most = Math.floor(Math.min(bandBytes, machine.maxBindingBytes) / (matrices * 4 * Math.max(channels, outputs)));
  const band = Math.ceil(tiles / Math.ceil(tiles / Math.max(most, 1)));

  const result = c.to ?? y;
  const from = lanesOf(encodingOf(x, machine), channels);
  const to = lanesOf(encodingOf(result, machine), outputs);
  const transformed = gpuScratch(matrices * band * channels * 4);
  const products = gpuScratch(matrices * band * outputs * 4);
  const steps: WebGpuStep[] = [];
  for (let firstTile = 0; firstTile < tiles; firstTile += band) {
    const m = Math.min(band, tiles - firstTile);
    const place = { tilesY, tilesX, firstTile };
    const input = { ...inUnits(m, channels, from.lanes), ...place };
    const output = { ...inUnits(m, outputs, to.lanes), ...place };
    const size = { height, width, paddingY: padding[0], paddingX: padding[1] };
    steps.push(
      {
        shader: inputShader(from),
        bindings: [read(x), write(transformed)],
        uniforms: inputUniforms.words({ ...input, ...size }),
        workgroups: linearGrid(Math.ceil(input.count / transformInvocations), machine),
      },
      ...product(
        {
          ...{ matrices, m, n: outputs, k: channels },
          left: { kind: 'matrix', transposed: false, vectors: channels % 4 === 0, axes: 1 },
          leftFrom: transformed,
          right: { kind: 'packed', half: false },
          rightFrom: winogradWeight(weight, range, machine),
          uniforms: { size0: matrices, left0: m * channels, right0: 0 },
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
    bytes: matrices * count * 4,
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

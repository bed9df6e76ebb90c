/**
 * A 3×3 convolution over maps of several sizes, without the upsampled maps: the host side of assembly/pyramid.ts, which
 * explains the identity.
 */
import type { Bound, Slot } from '../../../kernel.js';
import { coarserMaps, type Conv2dPyramidInputs, type Conv2dPyramidParams } from '../../../ops/conv2d-pyramid.js';
import { sizeOf } from '../../../shape.js';
import { library } from '../library.generated.js';
import {
  scratch,
  splitWork,
  type WasmKernel,
  type WasmMachine,
  type WasmOperand,
  type WasmPrepared,
  type WasmStep,
} from '../program.js';
import { convolutionAlgorithm, type ConvolutionAlgorithm } from './convolution-algorithm.js';
import { epilogueArguments } from './epilogue.js';
import { product } from './gemm.js';
import { packedBytes, panelColumns, panelsOf } from './packing.js';
import { winogradSteps, type ChannelRange } from './winograd.js';

const taps = 9;
/** Panels of outputs that a chunk computes: 16 outputs are one cache line of a pixel. */
const blockPanels = 2;
/** Columns of a chunk at most, so that its buffers fit the second-level cache. */
const chunkColumns = 160;
/** Rows of a chunk at least: its first and last rows of each level are computed by its neighbours too. */
const chunkRows = 8;
/** Pixels of a level whose products are computed together, at least, unless the level has fewer. */
const groupPixels = 96;

/** Rows of the product's tile, and bytes of the table that locates them, in assembly/gemm-tile.ts. */
const tileRows = 4;
const tileBytes = 24;
/** Sizes in assembly/pyramid-level.ts. */
const stateBytes = 128;
const entryBytes = 48;

type Epilogue = readonly [number, number];
type Kernel = WasmKernel<Conv2dPyramidInputs, { y: Slot }, Conv2dPyramidParams>;

/** The finest map by the algorithm that suits its shape. */
export const conv2dPyramidWasm: Kernel = {
  library,
  program: (inputs, { y }, params, machine) => {
    const [images, height, width, channels] = inputs.x.shape as [number, number, number, number];
    const algorithm = convolutionAlgorithm({
      images,
      output: [height, width],
      channels,
      outputs: y.shape[3]!,
      kernel: [3, 3],
      stride: [1, 1],
      dilation: [1, 1],
      groups: 1,
    });
    return pyramidSteps(algorithm, inputs, y, params, machine);
  },
};

import {
  defineShader,
  encodingOf,
  linearGrid,
  read,
  sizeOf,
  takingHalves,
  write,
  type Slot,
  type WebGpuKernel,
} from '@ii/tensor';
import type { DCNv3Inputs, DCNv3Params } from '../dcnv3.js';
import { dcnv3Wgsl, uniforms } from './dcnv3.wgsl.js';
import { chooseLaunch } from './launch.js';

type Map4 = readonly [number, number, number, number];

const dcnv3Shader = defineShader('dcnv3', dcnv3Wgsl);

export const dcnv3WebGpu: WebGpuKernel<DCNv3Inputs, { y: Slot }, DCNv3Params> = takingHalves(
  ['x', 'offset', 'mask', 'centerScale', 'y'],
  (
    { x, offset, mask, centerScale },
    { y },
    { groups, offsetScale, softmax, kernelSize, stride, padding, dilation },
    machine,
  ) => {
    if (sizeOf(y.shape) === 0) return [];
    const [, height, width, channels] = x.shape as Map4;
    const [images, outHeight, outWidth] = y.shape as Map4;
    const groupChannels = channels / groups;
    const places = images * outHeight * outWidth * groups;
    const encodings = {
      ...{ x: encodingOf(x, machine), offset: encodingOf(offset, machine), mask: encodingOf(mask, machine) },
      centerScale: centerScale ? encodingOf(centerScale, machine) : 'f32',
      y: encodingOf(y, machine),
    } as const;
    const kernel = encodings.x === 'f32' ? 'dcnv3' : 'dcnv3 halves';
    const { launch, shapes } = chooseLaunch(groupChannels, places, machine, kernel);
    const count = places * launch.shares;
    return [
      {
        shader: dcnv3Shader({
          ...{ launch, groupChannels, scaled: offsetScale !== 1, softmax, centerScale: centerScale !== undefined },
          ...{ kernelSize, stride, padding, dilation, encodings },
        }),
        bindings: [read(x), read(offset), read(mask), ...(centerScale ? [read(centerScale)] : []), write(y)],
        uniforms: uniforms.words({ count, groups, offsetScale, height, width, outHeight, outWidth }),
        workgroups: linearGrid(Math.ceil(count / launch.invocations), machine),
        launch: shapes,
      },
    ];
  },
  // A group's channels are written four at a time.
  (_inputs, { y }, { groups }) => (y.shape[3]! / groups) % 4 === 0,
);

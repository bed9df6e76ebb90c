import {
  gpuScratch,
  linearGrid,
  read,
  sizeOf,
  write,
  type WebGpuKernel,
  type WebGpuMachine,
  type WebGpuScratch,
  type WebGpuStep,
} from '@ii/tensor';
import type { DCNv3GradientInputs, DCNv3GradientOutputs, DCNv3GradientParams } from '../dcnv3-gradient.js';
import { pointCount } from '../geometry.js';
import { uniforms } from './dcnv3.wgsl.js';
import { gatherShader } from './gradient-gather.wgsl.js';
import {
  clearShader,
  invocations,
  prefixShader,
  run,
  sizeWords,
  softmaxShader,
  sortShader,
  sumRunsShader,
} from './gradient-lists.wgsl.js';
import { pointsShader } from './gradient-points.wgsl.js';
import { chooseLaunch } from './launch.js';

type Map4 = readonly [number, number, number, number];

/**
 * First the sampling points are sorted by the pixels that they read, then each pixel of x gathers its gradient; offsets,
 * mask and centre scale take a step of their own.
 */
export const dcnv3GradientWebGpu: WebGpuKernel<DCNv3GradientInputs, DCNv3GradientOutputs, DCNv3GradientParams> = (
  { x, offset, mask, centerScale, gy },
  gradient,
  { groups, offsetScale, softmax, deterministic, kernelSize, stride, padding, dilation },
  machine,
) => {
  if (sizeOf(gy.shape) === 0) return [];
  const [images, height, width, channels] = x.shape as Map4;
  const [, outHeight, outWidth] = gy.shape as Map4;
  const groupChannels = channels / groups;
  const sampling = { kernelSize, stride, padding, dilation, scaled: offsetScale !== 1 };
  const points = pointCount(sampling);
  const places = images * outHeight * outWidth * groups;
  const grid = (count: number, size = invocations) => linearGrid(Math.ceil(count / size), machine);
  const words = (count: number): number[] =>
    uniforms.words({ count, groups, offsetScale, height, width, outHeight, outWidth });

  const cellCount = images * groups * (height + 1) * (width + 1);
  const cells = gpuScratch(cellCount * 4);
  const list = gpuScratch(places * points * 4);
  const weights = softmax ? gpuScratch(places * points * 4) : mask;
  const sort = (fill: boolean): WebGpuStep => ({
    shader: sortShader({ ...sampling, fill }),
    bindings: [read(offset), write(cells), ...(fill ? [write(list)] : [])],
    uniforms: words(places * points),
    workgroups: grid(places * points),
  });
  const softmaxStep: WebGpuStep = {
    shader: softmaxShader({ points }),
    bindings: [read(mask), write(weights)],
    uniforms: words(places),
    workgroups: grid(places),
  };
  const clear: WebGpuStep = {
    shader: clearShader({}),
    bindings: [write(cells)],
    uniforms: sizeWords(cellCount),
    workgroups: grid(cellCount),
  };

  const targets = images * height * width * groups;
  const { launch, shapes } = chooseLaunch(groupChannels, targets, machine, 'dcnv3Gradient');
  const centred = centerScale !== undefined;
  const share = centerScale ? [read(centerScale)] : [];
  const gathered = targets * launch.shares;
  const gather: WebGpuStep = {
    shader: gatherShader({ ...sampling, launch, groupChannels, centerScale: centred, deterministic }),
    bindings: [read(offset), read(weights), ...share, read(gy), read(cells), read(list), write(gradient.x)],
    uniforms: words(gathered),
    workgroups: grid(gathered, launch.invocations),
    launch: shapes,
  };
  const toCentre = gradient.centerScale ? [write(gradient.centerScale)] : [];
  const ofPoints: WebGpuStep = {
    shader: pointsShader({ ...sampling, lanes: launch.lanes, groupChannels, softmax, centerScale: centred }),
    bindings: [
      ...[read(x), read(offset), read(weights), read(gy), ...share],
      ...[write(gradient.offset), write(gradient.mask), ...toCentre],
    ],
    uniforms: words(places),
    workgroups: grid(places),
  };
  const sorted = [clear, sort(false), ...prefixSums(cells, cellCount, machine), sort(true)];
  return [...(softmax ? [softmaxStep] : []), ...sorted, gather, ofPoints];
};

/** Replaces each of `count` numbers by the sum of those before it: sums of runs, their prefix sums, then within the runs. */
function prefixSums(counts: WebGpuScratch, count: number, machine: WebGpuMachine): readonly WebGpuStep[] {
  const runs = Math.ceil(count / run);
  const step = { uniforms: sizeWords(count), workgroups: linearGrid(Math.ceil(runs / invocations), machine) };
  if (runs === 1) return [{ shader: prefixShader({ bases: false }), bindings: [write(counts)], ...step }];
  const sums = gpuScratch(runs * 4);
  return [
    { shader: sumRunsShader({}), bindings: [read(counts), write(sums)], ...step },
    ...prefixSums(sums, runs, machine),
    { shader: prefixShader({ bases: true }), bindings: [write(counts), read(sums)], ...step },
  ];
}

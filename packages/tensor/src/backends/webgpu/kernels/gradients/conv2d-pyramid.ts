import type { Slot } from '../../../../kernel.js';
import type { PyramidTapInputs } from '../../../../ops/gradients/conv2d-pyramid.js';
import { sizeOf } from '../../../../shape.js';
import { gpuScratch, type WebGpuKernel } from '../../program.js';
import type { Image } from '../images.js';
import { checkSides } from '../resize.js';
import { axisStep } from './spatial.js';

/** A tap that reads the product at its place plus `d` hands its gradient on from its place minus `d`. */
const moves = [1, 0, -1] as const;

/** Rows first: three maps of less height, of which each becomes three of less width. */
export const pyramidTapGradientWebGpu: WebGpuKernel<PyramidTapInputs, { gp: Slot }, object> = (
  { gy },
  { gp },
  _params,
  machine,
) => {
  if (sizeOf(gp.shape) === 0) return [];
  const [n, ho, wo, c] = gy.shape as Image;
  const [, h, w] = gp.shape as readonly number[] as Image;
  checkSides([h, ho], [w, wo]);
  const between = gpuScratch(n * h * 3 * wo * c * 4);
  return [
    axisStep(gy, between, { outer: n, input: h, output: ho, inner: wo * c, moves }, machine),
    axisStep(between, gp, { outer: n * h, repeats: 3, input: w, output: wo, inner: c, moves }, machine),
  ];
};

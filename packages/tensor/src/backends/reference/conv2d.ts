import type { Bound } from '../../kernel.js';
import type { Conv2dInputs, Conv2dParams } from '../../ops/conv2d-forward.js';
import type { ReferenceArray } from './backend.js';
import { applyEpilogue } from './epilogue.js';

/** The sum over the taps inside the image, pixel by pixel; depthwise is the case of one channel per group. */
export function conv2dReference(
  inputs: Bound<Conv2dInputs, ReferenceArray>,
  { y }: { readonly y: ReferenceArray },
  { stride, padding, dilation, groups, activation }: Conv2dParams,
): void {
  const { x, weight } = inputs;
  const [, h, w, c] = x.shape as [number, number, number, number];
  const [n, ho, wo, o] = y.shape as [number, number, number, number];
  const [, perGroup, kh, kw] = weight.shape as [number, number, number, number];
  const outPerGroup = o / groups;
  for (let image = 0; image < n; image++) {
    for (let oy = 0; oy < ho; oy++) {
      for (let ox = 0; ox < wo; ox++) {
        for (let oc = 0; oc < o; oc++) {
          const firstChannel = Math.floor(oc / outPerGroup) * perGroup;
          let total = 0;
          for (let ky = 0; ky < kh; ky++) {
            const iy = oy * stride[0] - padding[0] + ky * dilation[0];
            if (iy < 0 || iy >= h) continue;
            for (let kx = 0; kx < kw; kx++) {
              const ix = ox * stride[1] - padding[1] + kx * dilation[1];
              if (ix < 0 || ix >= w) continue;
              const pixel = ((image * h + iy) * w + ix) * c + firstChannel;
              const tap = (oc * perGroup * kh + ky) * kw + kx;
              for (let ic = 0; ic < perGroup; ic++) {
                total += x.data[pixel + ic]! * weight.data[tap + ic * kh * kw]!;
              }
            }
          }
          y.data[((image * ho + oy) * wo + ox) * o + oc] = total;
        }
      }
    }
  }
  applyEpilogue(inputs, y, activation);
}

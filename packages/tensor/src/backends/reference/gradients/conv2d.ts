import type { Bound } from '../../../kernel.js';
import type { DenseWeightInputs, DenseWeightParams } from '../../../ops/gradients/conv2d-winograd.js';
import type { DepthwiseWeightInputs, DepthwiseWeightParams } from '../../../ops/gradients/conv2d.js';
import type { ReferenceArray } from '../backend.js';

type Image = readonly [number, number, number, number];

export function depthwiseConv2dWeightGradientReference(
  { x, gy }: Bound<DepthwiseWeightInputs, ReferenceArray>,
  { gw }: { readonly gw: ReferenceArray },
  { stride, padding, dilation }: DepthwiseWeightParams,
): void {
  const [, h, w, c] = x.shape as Image;
  const [n, ho, wo] = gy.shape as Image;
  const [, , kh, kw] = gw.shape as Image;
  gw.data.fill(0);
  for (let image = 0; image < n; image++) {
    for (let oy = 0; oy < ho; oy++) {
      for (let ky = 0; ky < kh; ky++) {
        const iy = oy * stride[0] - padding[0] + ky * dilation[0];
        if (iy < 0 || iy >= h) continue;
        for (let ox = 0; ox < wo; ox++) {
          for (let kx = 0; kx < kw; kx++) {
            const ix = ox * stride[1] - padding[1] + kx * dilation[1];
            if (ix < 0 || ix >= w) continue;
            const from = ((image * h + iy) * w + ix) * c;
            const at = ((image * ho + oy) * wo + ox) * c;
            for (let k = 0; k < c; k++) gw.data[(k * kh + ky) * kw + kx]! += gy.data[at + k]! * x.data[from + k]!;
          }
        }
      }
    }
  }
}

/** The gradient of a dense 3×3 convolution's weights, tap by tap. */
export function conv2dWeightGradientReference(
  { x, gy }: Bound<DenseWeightInputs, ReferenceArray>,
  { gw }: { readonly gw: ReferenceArray },
  { padding }: DenseWeightParams,
): void {
  const [images, height, width, channels] = x.shape as [number, number, number, number];
  const [, outHeight, outWidth, outputs] = gy.shape as [number, number, number, number];
  gw.data.fill(0);
  for (let n = 0; n < images; n++) {
    for (let oy = 0; oy < outHeight; oy++) {
      for (let ox = 0; ox < outWidth; ox++) {
        for (let tap = 0; tap < 9; tap++) {
          const iy = oy - padding[0] + Math.floor(tap / 3);
          const ix = ox - padding[1] + (tap % 3);
          if (iy < 0 || iy >= height || ix < 0 || ix >= width) continue;
          const from = ((n * height + iy) * width + ix) * channels;
          const at = ((n * outHeight + oy) * outWidth + ox) * outputs;
          for (let o = 0; o < outputs; o++) {
            const factor = gy.data[at + o]!;
            for (let c = 0; c < channels; c++) gw.data[(o * channels + c) * 9 + tap]! += factor * x.data[from + c]!;
          }
        }
      }
    }
  }
}

/**
 * Starting values of parameters, as PyTorch and timm compute them. An initialiser fills a zeroed array; weights have
 * PyTorch's shapes: `[O, I]` or `[O, I, kH, kW]`.
 */
import type { Random } from '../random.js';
import { sizeOf, type Shape } from '../shape.js';

export type Initializer = (values: Float32Array, shape: Shape, random: Random) => void;

export const zeros: Initializer = () => {};

export const constant =
  (value: number): Initializer =>
  (values) => {
    values.fill(value);
  };

export const ones = constant(1);

export const uniform =
  (bound: number): Initializer =>
  (values, _, random) => {
    for (let i = 0; i < values.length; i++) values[i] = random.uniform(-bound, bound);
  };

export const normal =
  (std: number): Initializer =>
  (values, _, random) => {
    for (let i = 0; i < values.length; i++) values[i] = random.normal(0, std);
  };

/** Normal values, drawn again while they are beyond ±2 (an absolute bound, as in timm). */
export const truncatedNormal =
  (std: number): Initializer =>
  (values, _, random) => {
    for (let i = 0; i < values.length; i++) {
      let value: number;
      do value = random.normal(0, std);
      while (Math.abs(value) > 2);
      values[i] = value;
    }
  };

/** Uniform in ±√(6 / (fanIn + fanOut)). */
export const xavierUniform: Initializer = (values, shape, random) => {
  const { fanIn, fanOut } = fans(shape);
  uniform(Math.sqrt(6 / (fanIn + fanOut)))(values, shape, random);
};

/** Uniform in ±1 / √fanIn: PyTorch's default for the weights of `Linear` and `Conv2d`. */
export const kaimingUniform: Initializer = (values, shape, random) => {
  uniform(1 / Math.sqrt(fans(shape).fanIn))(values, shape, random);
};

/** Normal with std √(2 / fanOut): mmcv's `ConvModule` with ReLU. */
export const kaimingNormalFanOut: Initializer = (values, shape, random) => {
  normal(Math.sqrt(2 / fans(shape).fanOut))(values, shape, random);
};

function fans(shape: Shape): { fanIn: number; fanOut: number } {
  const [out = 1, into = 1, ...kernel] = shape;
  const area = sizeOf(kernel);
  return { fanIn: into * area, fanOut: out * area };
}

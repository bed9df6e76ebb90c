/** Convolutions of UperNet + InternImage-T at 512×512; depthwise ones in time per element. */
import { conv2d } from '@ii/tensor';
import { measure } from './measure.mjs';

/**
 * @param {number} size height and width @param {number} c @param {number} o @param {number} kernel
 * @param {{ stride?: number, groups?: number, relu?: boolean }} [options]
 * @returns {import('./measure.mjs').Case}
 */
function convCase(size, c, o, kernel, { stride = 1, groups = 1, relu = false } = {}) {
  const padding = kernel >> 1;
  const out = Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const depthwise = groups === c;
  return {
    name: `${depthwise ? 'depthwise' : 'conv'} ${kernel}×${kernel}/${stride} ${c}→${o} at ${size}×${size}${relu ? ' + scale + bias + relu' : ''}`,
    flops: 2 * out * out * o * (c / groups) * kernel * kernel,
    ...(depthwise && { elements: out * out * o }),
    setup: (_, random) => {
      const [x, weight] = [random(1, size, size, c), random(o, c / groups, kernel, kernel)];
      const epilogue = relu ? { scale: random(o), bias: random(o), activation: /** @type {const} */ ('relu') } : {};
      return () => conv2d(x, weight, { stride, padding, groups, ...epilogue });
    },
  };
}

await measure('conv', [
  convCase(64, 512, 512, 3),
  convCase(64, 512, 512, 3, { relu: true }),
  convCase(16, 512, 512, 3),
  convCase(512, 3, 32, 3, { stride: 2 }),
  convCase(256, 32, 64, 3, { stride: 2 }),
  convCase(128, 64, 128, 3, { stride: 2 }),
  convCase(32, 256, 512, 3, { stride: 2 }),
  convCase(128, 512, 150, 1),
  convCase(128, 64, 64, 3, { groups: 64 }),
  convCase(32, 256, 256, 3, { groups: 256 }),
  convCase(16, 512, 512, 3, { groups: 512 }),
  convCase(32, 640, 640, 5, { groups: 640 }),
]);

/** Matrix products: square, the linear layers of InternImage-T at 512×512, and those of a gradient. */
import { linear, matmul } from '@ii/tensor';
import { measure } from './measure.mjs';

/**
 * @param {number} m @param {number} k @param {number} n
 * @param {import('@ii/tensor').Activation} [activation]
 * @returns {import('./measure.mjs').Case}
 */
const linearCase = (m, k, n, activation = 'none') => ({
  name: `linear ${m}×${k}×${n}${activation === 'none' ? '' : ` + bias + ${activation}`}`,
  flops: 2 * m * k * n,
  setup: (_, random) => {
    const [x, weight] = [random(m, k), random(n, k)];
    const options = activation === 'none' ? {} : { bias: random(n), activation };
    return () => linear(x, weight, options);
  },
});

/**
 * @param {number} m @param {number} k @param {number} n @param {import('@ii/tensor').MatmulOptions} options
 * @returns {import('./measure.mjs').Case}
 */
const matmulCase = (m, k, n, { transposeA = false, transposeB = false }) => ({
  name: `matmul ${m}×${k}×${n}${transposeA ? ' aᵀ' : ''}${transposeB ? ' bᵀ' : ''}`,
  flops: 2 * m * k * n,
  setup: (_, random) => {
    const a = transposeA ? random(k, m) : random(m, k);
    const b = transposeB ? random(n, k) : random(k, n);
    return () => matmul(a, b, { transposeA, transposeB });
  },
});

await measure('gemm', [
  linearCase(1024, 1024, 1024),
  matmulCase(1024, 1024, 1024, {}),
  matmulCase(1024, 1024, 1024, { transposeA: true, transposeB: true }),
  linearCase(16384, 64, 64),
  linearCase(16384, 64, 256, 'gelu'),
  linearCase(16384, 256, 64),
  linearCase(1024, 256, 1024, 'gelu'),
  linearCase(1024, 1024, 256),
  linearCase(256, 2048, 512),
  linearCase(1, 2048, 512),
  matmulCase(64, 16384, 256, { transposeA: true }),
]);

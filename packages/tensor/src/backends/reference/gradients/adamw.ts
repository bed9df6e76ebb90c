import type { Bound } from '../../../kernel.js';
import type { AdamWInputs, AdamWOutputs, AdamWParams } from '../../../ops/gradients/adamw.js';
import type { ReferenceArray } from '../backend.js';

export function adamWReference(
  { gradient, scale }: Bound<AdamWInputs, ReferenceArray>,
  { parameter, mean, variance }: Bound<AdamWOutputs, ReferenceArray>,
  { decay, beta1, beta2, eps, rate, correction }: AdamWParams,
): void {
  const factor = scale?.data[0] ?? 1;
  for (let i = 0; i < parameter.data.length; i++) {
    const g = gradient.data[i]! * factor;
    const m = beta1 * mean.data[i]! + (1 - beta1) * g;
    const v = beta2 * variance.data[i]! + (1 - beta2) * g * g;
    mean.data[i] = m;
    variance.data[i] = v;
    parameter.data[i] = parameter.data[i]! * decay - (rate * m) / (Math.sqrt(v) / correction + eps);
  }
}

import type { StateDict } from '@ii/tensor';
import type { UperNet } from '@ii/upernet';

/** How a checkpoint differs from the model of a configuration, by names of tensors. */
export interface Fit {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  readonly misshapen: readonly string[];
}

/** Compares names and shapes; the batch counters are optional, as in loading. */
export function compareTensors(network: UperNet, tensors: StateDict): Fit {
  const expected = new Map(network.namedState());
  const fit = { missing: new Array<string>(), unexpected: new Array<string>(), misshapen: new Array<string>() };
  for (const [name, { shape }] of expected) {
    const stored = tensors.get(name);
    if (stored && String(stored.shape) !== String(shape)) fit.misshapen.push(name);
    if (!stored && !name.endsWith('.num_batches_tracked')) fit.missing.push(name);
  }
  for (const name of tensors.keys()) if (!expected.has(name)) fit.unexpected.push(name);
  return fit;
}

/** The same in a line. */
export function showFit(fit: Fit): string {
  const problems = Object.entries(fit).filter(([, names]) => names.length > 0);
  if (problems.length === 0) return 'every tensor is there and has the shape of this configuration';
  return problems
    .map(([kind, names]) => `${names.length} ${kind} (${names[0]}${names.length > 1 ? ', …' : ''})`)
    .join('; ');
}

import { storedTensor, type StateDict } from '../io/index.js';
import type { GoldenCase } from './golden.js';

/** The tensors of a golden case whose names begin with `prefix`, without it: the weights of the case. */
export function goldenStateDict(golden: GoldenCase, prefix = 'sd.'): StateDict {
  const names = golden.names.filter((name) => name.startsWith(prefix));
  return new Map(
    names.map((name) => {
      const { data, shape } = golden.tensor(name);
      return [name.slice(prefix.length), storedTensor(data, shape)];
    }),
  );
}

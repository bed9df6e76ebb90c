import type { NumpyArray, NumpyDType } from './numpy.js';
import type { TorchStorage, TorchTensor } from './torch-tensor.js';

/**
 * What a pickle can hold here. Lists and tuples are arrays, dicts are `Map`s in the order of the file, integers that a
 * number cannot hold exactly are `bigint`s. Objects may be shared between several places, and lists and dicts may even
 * contain themselves.
 */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | PickleDict
  | Set<PickleValue>
  | TorchTensor
  | TorchStorage
  | NumpyArray
  | NumpyDType
  | PickleGlobal
  | OpaqueValue;

/** A dict, or an object of a dict-like class; attributes beside the items are dropped. */
export class PickleDict extends Map<PickleValue, PickleValue> {}

/** An object whose attributes are its content, such as an `argparse.Namespace`. */
export class PickleNamespace extends PickleDict {}

/** A harmless value that has no counterpart here, for example a `torch.device`. */
export class OpaqueValue {
  constructor(
    /** The Python name of what made it, `torch.device`. */
    readonly name: string,
    readonly args: readonly PickleValue[],
  ) {}
}

/** One of the Python classes or functions that a checkpoint may name: never code, only what stands for it here. */
export class PickleGlobal {
  constructor(
    /** The Python name, `torch.FloatStorage`. */
    readonly name: string,
    /** Makes the value that calling it with `args` stands for; absent where it is only referred to. */
    readonly construct?: (args: readonly PickleValue[]) => PickleValue,
  ) {}
}

/** A few words on a value, for messages. */
export function describe(value: PickleValue | undefined): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'None';
  if (typeof value === 'string')
    return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  if (typeof value !== 'object') return String(value);
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Map) return `a dict of ${value.size}`;
  if (value instanceof Set) return `a set of ${value.size}`;
  if (value instanceof PickleGlobal || value instanceof OpaqueValue) return value.name;
  return value.toString();
}

import { NumpyArray } from './numpy.js';
import { describe, PickleDict, type PickleValue } from './pickle-value.js';

/** Data that JSON can hold. */
export type PlainValue = null | boolean | number | string | PlainValue[] | PlainObject;

export interface PlainObject {
  [key: string]: PlainValue;
}

const maxDepth = 32;
/** Values that one conversion makes at most; objects that contain each other could make any number. */
const maxValues = 200_000;

/**
 * What a pickle holds, as data that JSON can hold: keys become text, integers beyond 2^53 become decimal text, numpy
 * arrays flat lists, sets lists. What has no such form becomes text in angle brackets, `<a tensor f32 [3, 4]>`; so does
 * what is nested deeper than 32 or comes after 200,000 values.
 */
export function plainValue(value: PickleValue): PlainValue {
  let budget = maxValues;
  const convert = (item: PickleValue, depth: number): PlainValue => {
    if (budget-- <= 0) return '<too much to show>';
    if (item === null || typeof item === 'boolean' || typeof item === 'number') return item;
    if (typeof item === 'bigint') return item.toString();
    if (typeof item === 'string') {
      budget -= item.length >> 6;
      return item;
    }
    if (item instanceof NumpyArray && item.elements.length > 0) return convert([...item.elements], depth);
    if (!Array.isArray(item) && !(item instanceof PickleDict) && !(item instanceof Set)) return `<${describe(item)}>`;
    if (depth >= maxDepth) return '<nested too deep>';
    if (!(item instanceof PickleDict)) return Array.from(item, (entry) => convert(entry, depth + 1));
    const result: PlainObject = Object.create(null);
    for (const [key, entry] of item) {
      result[typeof key === 'string' ? key : JSON.stringify(convert(key, depth + 1))] = convert(entry, depth + 1);
    }
    return result;
  };
  return convert(value, 0);
}

/** {@link plainValue} of a dict; of anything else, an object without entries. */
export function plainObject(value: PickleValue | undefined): PlainObject {
  const plain = value instanceof PickleDict ? plainValue(value) : null;
  return plain !== null && typeof plain === 'object' && !Array.isArray(plain) ? plain : Object.create(null);
}

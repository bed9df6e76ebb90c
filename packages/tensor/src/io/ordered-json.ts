/**
 * JSON whose objects keep the order of the text and refuse a name given twice. `JSON.parse` does neither: it moves
 * names like `"0"` to the front and lets the last of two equal names win, which would hide a tensor.
 */
import { FormatError } from '../errors.js';

export type OrderedJson = null | boolean | number | string | OrderedJson[] | Map<string, OrderedJson>;

const maxDepth = 16;
const whitespace = /[ \t\n\r]*/y;
const numberToken = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const literals: ReadonlyArray<readonly [string, null | boolean]> = [
  ['null', null],
  ['true', true],
  ['false', false],
];

/**
 * Parses one JSON value that fills `text` but for white space.
 *
 * @throws FormatError for anything that is not JSON, a name used twice in one object, or nesting deeper than 16.
 */
export function parseOrderedJson(text: string): OrderedJson {
  let position = 0;

  const fail = (problem: string): never => {
    throw new FormatError(`${problem} at character ${position}`);
  };
  const token = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    const match = pattern.exec(text)?.[0];
    if (match !== undefined) position += match.length;
    return match;
  };
  const skip = (character: string): boolean => {
    token(whitespace);
    if (text[position] !== character) return false;
    position++;
    return true;
  };
  const string = (): string => {
    token(whitespace);
    if (text[position] !== '"') fail('expected a string');
    let end = position + 1;
    while (end < text.length && text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
    try {
      const parsed: unknown = JSON.parse(text.slice(position, end + 1));
      position = end + 1;
      return String(parsed);
    } catch {
      return fail('a string has no end, a bad escape or a control character');
    }
  };

  const object = (depth: number): Map<string, OrderedJson> => {
    const entries = new Map<string, OrderedJson>();
    if (skip('}')) return entries;
    do {
      const name = string();
      if (entries.has(name)) fail(`the name ${JSON.stringify(name)} is used twice`);
      if (!skip(':')) fail(`expected ':'`);
      entries.set(name, value(depth + 1));
    } while (skip(','));
    if (!skip('}')) fail(`expected ',' or '}'`);
    return entries;
  };
  const array = (depth: number): OrderedJson[] => {
    const items: OrderedJson[] = [];
    if (skip(']')) return items;
    do items.push(value(depth + 1));
    while (skip(','));
    if (!skip(']')) fail(`expected ',' or ']'`);
    return items;
  };
  const value = (depth: number): OrderedJson => {
    if (depth > maxDepth) fail(`nested deeper than ${maxDepth}`);
    if (skip('{')) return object(depth);
    if (skip('[')) return array(depth);
    if (text[position] === '"') return string();
    for (const [literal, meaning] of literals) {
      if (text.startsWith(literal, position)) {
        position += literal.length;
        return meaning;
      }
    }
    return Number(token(numberToken) ?? fail('expected a value'));
  };

  const result = value(0);
  token(whitespace);
  if (position !== text.length) fail('more text after the value');
  return result;
}

import type { CopyParams } from '../../ops/copy.js';
import type { ReferenceArray } from './backend.js';
import { toDType } from './elementwise.js';
import { forEachIndex } from './strided.js';

export function copyReference(
  { x }: { readonly x: ReferenceArray },
  { y }: { readonly y: ReferenceArray },
  { shape, fromStrides, fromOffset, toStrides, toOffset }: CopyParams,
): void {
  const move = (from: number, to: number): void => {
    y.data[to] = x.data[from]!;
  };
  forEachIndex(shape, [fromStrides, toStrides], move, fromOffset, toOffset);
}

export function fillReference(
  _inputs: object,
  { y }: { readonly y: ReferenceArray },
  { value }: { readonly value: number },
): void {
  y.data.fill(toDType(value, y.dtype));
}

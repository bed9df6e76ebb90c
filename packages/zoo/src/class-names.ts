/** Names and colours of a model's classes. */
import { ADE20K_CLASS_NAMES, ADE20K_PALETTE } from '@ii/ade20k';
import type { Palette, Rgb } from '@ii/tensor/image';
import type { PlainObject, PlainValue } from './pth/index.js';

export interface ClassTable {
  readonly names: readonly string[];
  readonly palette: Palette;
}

/**
 * The classes of a model with `numClasses` outputs: ADE20K's for 150; for another number those that the checkpoint's
 * `meta.CLASSES` names, else numbered ones, in colours of their own.
 */
export function classTable(numClasses: number, meta: PlainObject = {}): ClassTable {
  if (numClasses === ADE20K_CLASS_NAMES.length) return { names: ADE20K_CLASS_NAMES, palette: ADE20K_PALETTE };
  const given = storedNames(meta['CLASSES']);
  const names = given.length === numClasses ? given : Array.from({ length: numClasses }, (_, id) => `class ${id}`);
  return { names, palette: names.map((_, id) => distinctColour(id)) };
}

/** A list of names; in the metadata of a safetensors file, where everything is text, it is JSON. */
function storedNames(value: PlainValue | undefined): string[] {
  let list: unknown = value;
  if (typeof value === 'string') {
    try {
      list = JSON.parse(value);
    } catch {
      return [];
    }
  }
  return Array.isArray(list) ? list.filter((name) => typeof name === 'string') : [];
}

/** Hues a golden angle apart, so that neighbouring ids differ, in three strengths. */
function distinctColour(id: number): Rgb {
  const hue = (id * 137.508) % 360;
  const value = 255 - (id % 3) * 60;
  const channel = (shift: number): number => {
    const k = (shift + hue / 60) % 6;
    return Math.round(value * (1 - 0.8 * Math.max(0, Math.min(k, 4 - k, 1))));
  };
  return [channel(5), channel(3), channel(1)];
}

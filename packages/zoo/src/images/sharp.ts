import { IIError } from '@ii/tensor';
import type { default as Sharp } from 'sharp';

let loading: Promise<typeof Sharp> | undefined;

/**
 * The image library, loaded when it is first needed: commands that touch no image start without it.
 *
 * @throws IIError `ERR_SHARP_MISSING` if it is not installed or has no binary for this platform.
 */
export function loadSharp(): Promise<typeof Sharp> {
  loading ??= import('sharp').then(
    (module) => module.default,
    (cause: unknown) => {
      loading = undefined;
      throw new IIError(
        'ERR_SHARP_MISSING',
        `reading and writing images needs the package 'sharp', which does not load on ${process.platform}-${process.arch}; reinstall it with: npm install --include=optional sharp`,
        { cause },
      );
    },
  );
  return loading;
}

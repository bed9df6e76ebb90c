import { transformOddTaps, transformWeight } from './winograd-transforms';
import { address, word } from './simd';

/*
 * Weights for convolutions over some of their input channels: `[O, all channels, taps]`, of which `channels` from
 * `first` on are used, in panels of 8 outputs.
 */

/** Channels that are transformed together, so that each matrix is written a few cache lines at a time. */
// @ts-ignore: decorator
@inline
const together: i32 = 8;

/** How taps along an axis are transformed: F(4, 3), or the odd or the even places of a doubled map (see doubled.ts). */
// @ts-ignore: decorator
@inline
const fourOutputs: i32 = 0;
// @ts-ignore: decorator
@inline
const oddPlaces: i32 = 1;

/** Values that the transform of one kind makes of three taps. */
// @ts-ignore: decorator
@inline
function valuesOf(kind: i32): i32 {
  return kind == fourOutputs ? 6 : kind == oddPlaces ? 4 : 1;
}

function transformTaps(kind: i32, g0: f64, g1: f64, g2: f64, to: usize, toStep: usize): void {
  if (kind == fourOutputs) transformWeight(g0, g1, g2, to, toStep);
  else if (kind == oddPlaces) transformOddTaps(g0, g2, to, toStep);
  else store<f64>(to, g1);
}

/**
 * Transforms 3×3 weights to matrices, `[matrix][panel][channel][8]`, of which there is one for each value of the rows'
 * taps and of the columns': 36 for F(4×4, 3×3). The sums are done in f64 and rounded once. One chunk does `size` panels;
 * the last one also clears the `zeros` bytes after the panels.
 *
 * args: from, to, O, all channels, first, channels, size, zeros, scratch, its bytes per thread, kind of the rows, of the
 * columns.
 * Scratch: f64 `[6][3]` and `[6]`, then f32 `[36][together][8]`.
 */
export function packWinograd(args: usize, chunk: i32, thread: i32): void {
  const outputs = word(args, 2);
  const all = word(args, 3);
  const channels = word(args, 5);
  const size = word(args, 6);
  const rowKind = word(args, 10);
  const columnKind = word(args, 11);
  const rowValues = <usize>valuesOf(rowKind);
  const columnValues = <usize>valuesOf(columnKind);
  const matrices = rowValues * columnValues;
  const panels = (outputs + 7) >> 3;
  const panelBytes = (<usize>channels) << 5;
  const matrixBytes = (<usize>panels) * panelBytes;
  const halfway = address(args, 8) + (<usize>thread) * address(args, 9);
  const row = halfway + 18 * 8;
  const block = row + 6 * 8;
  const last = min(panels, (chunk + 1) * size);
  for (let panel = chunk * size; panel < last; panel++) {
    const columns = min(8, outputs - (panel << 3));
    memory.fill(block, 0, matrices * (together * 32));
    for (let channel = 0; channel < channels; channel += together) {
      const count = min(together, channels - channel);
      for (let column = 0; column < columns; column++) {
        const output = (panel << 3) + column;
        let from = address(args, 0) + (<usize>(output * all + word(args, 4) + channel)) * 36;
        let to = block + ((<usize>column) << 2);
        for (let c = 0; c < count; c++) {
          for (let x: usize = 0; x < 3; x++) {
            const tap = from + (x << 2);
            transformTaps(rowKind, load<f32>(tap), load<f32>(tap, 12), load<f32>(tap, 24), halfway + (x << 3), 24);
          }
          let at = to;
          for (let i: usize = 0; i < rowValues; i++) {
            const taps = halfway + i * 24;
            transformTaps(columnKind, load<f64>(taps), load<f64>(taps, 8), load<f64>(taps, 16), row, 8);
            for (let j: usize = 0; j < columnValues; j++) {
              store<f32>(at, <f32>load<f64>(row + (j << 3)));
              at += together * 32;
            }
          }
          from += 36;
          to += 32;
        }
      }
      let from = block;
      let to = address(args, 1) + (<usize>panel) * panelBytes + ((<usize>channel) << 5);
      for (let matrix: usize = 0; matrix < matrices; matrix++) {
        memory.copy(to, from, (<usize>count) << 5);
        from += together * 32;
        to += matrixBytes;
      }
    }
  }
  if (last == panels) memory.fill(address(args, 1) + matrices * matrixBytes, 0, address(args, 7));
}

/**
 * Packs weights by tap, `[block][tap][panel of the block][channel][8]`, a block being `perBlock` panels (a block of one
 * panel is the order of a convolution's product). One chunk packs `size` panels; the last one also clears the `zeros`
 * bytes after the blocks. Panels that fill up the last block are left as they are.
 *
 * args: from, to, O, all channels, first, channels, taps, panels per block, size, zeros.
 */
export function packTaps(args: usize, chunk: i32, thread: i32): void {
  const outputs = word(args, 2);
  const all = word(args, 3);
  const channels = word(args, 5);
  const taps = word(args, 6);
  const perBlock = word(args, 7);
  const size = word(args, 8);
  const panels = (outputs + 7) >> 3;
  const panelBytes = (<usize>channels) << 5;
  const blockBytes = (<usize>(taps * perBlock)) * panelBytes;
  const last = min(panels, (chunk + 1) * size);
  const outputPitch = (<usize>(all * taps)) << 2;
  for (let panel = chunk * size; panel < last; panel++) {
    const columns = min(8, outputs - (panel << 3));
    const block = panel / perBlock;
    let to = address(args, 1) + (<usize>block) * blockBytes + (<usize>(panel - block * perBlock)) * panelBytes;
    let from = address(args, 0) + (<usize>(panel << 3)) * outputPitch + ((<usize>(word(args, 4) * taps)) << 2);
    for (let channel = 0; channel < channels; channel++) {
      let at = to;
      for (let tap = 0; tap < taps; tap++) {
        let source = from;
        for (let column = 0; column < columns; column++) {
          store<f32>(at + ((<usize>column) << 2), load<f32>(source));
          source += outputPitch;
        }
        for (let column = columns; column < 8; column++) store<f32>(at + ((<usize>column) << 2), 0);
        from += 4;
        at += (<usize>perBlock) * panelBytes;
      }
      to += 32;
    }
  }
  if (last == panels) {
    const blocks = (panels + perBlock - 1) / perBlock;
    memory.fill(address(args, 1) + (<usize>blocks) * blockBytes, 0, address(args, 9));
  }
}

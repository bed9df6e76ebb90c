import { word } from '../../tensor/assembly/simd';

/**
 * The grid of every point of some groups: `i · dilation − half the extent`; the points of a group run down the columns.
 *
 * @param args 15 and 16 kernel height and width, 21 and 22 dilations.
 */
// @ts-ignore: decorator
@inline
export function fillGrid(args: usize, groups: i32, gridX: usize, gridY: usize): void {
  const rows = word(args, 15);
  const columns = word(args, 16);
  const middleY = (word(args, 21) * (rows - 1)) >> 1;
  const middleX = (word(args, 22) * (columns - 1)) >> 1;
  for (let group = groups; group > 0; group--) {
    for (let i = 0; i < columns; i++) {
      for (let j = 0; j < rows; j++) {
        store<f32>(gridX, <f32>(i * word(args, 22) - middleX));
        store<f32>(gridY, <f32>(j * word(args, 21) - middleY));
        gridX += 4;
        gridY += 4;
      }
    }
  }
}

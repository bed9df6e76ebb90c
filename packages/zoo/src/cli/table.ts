/** Columns of text, aligned by spaces: `l` to the left, `r` to the right, one letter per column. */
export function alignColumns(rows: readonly (readonly string[])[], alignment: string): string[] {
  const widths = Array.from(alignment, (_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        alignment[column] === 'r' ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!),
      )
      .join('  ')
      .trimEnd(),
  );
}

/** A whole number with its thousands apart: `59,077,148`. */
export const grouped = (value: number): string => value.toLocaleString('en-US');

/** `512×2048`. */
export const showSize = (size: readonly number[]): string => size.join('×');

/** A number of bytes in the unit that suits it, in powers of 1000. */
export function showBytes(bytes: number): string {
  const power = Math.min(Math.max(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 0), 3);
  return power === 0 ? `${bytes} B` : `${(bytes / 1000 ** power).toFixed(1)} ${['B', 'kB', 'MB', 'GB'][power]}`;
}

/** A duration in milliseconds, as a person says it. */
export function showDuration(milliseconds: number): string {
  return milliseconds < 1000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1000).toFixed(2)} s`;
}

/** `0.25 s`, `3.4 s`, `12 ms`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 100) return `${milliseconds.toFixed(milliseconds < 10 ? 1 : 0)} ms`;
  return `${(milliseconds / 1000).toFixed(milliseconds < 10_000 ? 2 : 1)} s`;
}

/** A share of 1 in percent: `41 %`, `0.6 %`. */
export function percent(share: number): string {
  const value = 100 * share;
  return value < 0.1 ? '< 0.1 %' : `${value.toFixed(value < 9.95 ? 1 : 0)} %`;
}

/** `59.1 M`. */
export function millions(count: number): string {
  return count < 1e6 ? `${Math.round(count / 1000)} k` : `${(count / 1e6).toFixed(count < 1e8 ? 1 : 0)} M`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

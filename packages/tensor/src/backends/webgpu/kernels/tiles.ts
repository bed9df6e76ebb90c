/** The launch parameters of a matrix product. */
export interface Tile {
  /** Rows of the result per workgroup. */
  readonly rows: number;
  /** Columns of the result per workgroup. */
  readonly columns: number;
  /** Terms of the sums that are staged in workgroup memory at a time, a multiple of 4. */
  readonly depth: number;
  /** Rows per invocation; divides {@link rows}. */
  readonly invocationRows: number;
  /** Columns per invocation, a multiple of 4; divides {@link columns}. */
  readonly invocationColumns: number;
}

/** A tile, and into how many parts the sums are split so that there are enough workgroups. */
export interface Launch {
  readonly tile: Tile;
  readonly splits: number;
}

export interface ProductShape {
  readonly matrices: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** The limits of a device that a tile depends on; the names are WebGPU's. */
export interface TileLimits {
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxComputeInvocationsPerWorkgroup: number;
}

interface Candidate extends Tile {
  /** Share of the arithmetic throughput that the tile reaches when there is work for the whole device. */
  readonly efficiency: number;
}

/**
 * Tiles by falling size. The efficiencies are estimates from how many multiply-adds there are per element read from
 * workgroup memory; a tuner that measures replaces them.
 */
const candidates: readonly Candidate[] = [
  { rows: 128, columns: 128, depth: 8, invocationRows: 8, invocationColumns: 8, efficiency: 1 },
  { rows: 128, columns: 64, depth: 16, invocationRows: 8, invocationColumns: 8, efficiency: 0.95 },
  { rows: 64, columns: 64, depth: 16, invocationRows: 8, invocationColumns: 8, efficiency: 0.85 },
  { rows: 128, columns: 32, depth: 16, invocationRows: 8, invocationColumns: 4, efficiency: 0.7 },
  { rows: 64, columns: 32, depth: 16, invocationRows: 4, invocationColumns: 8, efficiency: 0.65 },
  { rows: 32, columns: 32, depth: 32, invocationRows: 4, invocationColumns: 4, efficiency: 0.5 },
  { rows: 128, columns: 16, depth: 16, invocationRows: 8, invocationColumns: 4, efficiency: 0.45 },
  { rows: 64, columns: 8, depth: 32, invocationRows: 4, invocationColumns: 4, efficiency: 0.25 },
  { rows: 16, columns: 64, depth: 32, invocationRows: 4, invocationColumns: 4, efficiency: 0.4 },
  { rows: 4, columns: 128, depth: 32, invocationRows: 2, invocationColumns: 4, efficiency: 0.2 },
];

/** Invocations that keep a device busy: a middle way between integrated and large discrete ones. */
const busyInvocations = 2 ** 15;
/** Least terms that a part of a split sum has. */
const leastDepth = 256;
/** Most parts of a sum: each is written to memory and read again. */
const mostSplits = 32;

export const invocationsOf = (tile: Tile): number =>
  (tile.rows / tile.invocationRows) * (tile.columns / tile.invocationColumns);

/** Bytes of workgroup memory; rows of the left operand are padded by one vector against bank conflicts. */
export const workgroupBytes = ({ rows, columns, depth }: Tile): number =>
  (rows * (depth / 4 + 1) + (depth * columns) / 4) * 16;

/** The tile whose padded work takes the least time by the estimates above, with the sums split while that helps. */
export function chooseLaunch({ matrices, m, n, k }: ProductShape, limits: TileLimits): Launch {
  let best: Launch | undefined;
  let bestTime = Infinity;
  for (const { efficiency, ...tile } of candidates) {
    if (workgroupBytes(tile) > limits.maxComputeWorkgroupStorageSize) continue;
    if (invocationsOf(tile) > limits.maxComputeInvocationsPerWorkgroup) continue;
    const blocks = matrices * Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns);
    const busy = (blocks * invocationsOf(tile)) / busyInvocations;
    const splits = Math.max(1, Math.min(Math.ceil(1 / busy), Math.floor(k / leastDepth), mostSplits));
    const occupied = Math.min(1, busy * splits);
    const time = (blocks * tile.rows * tile.columns) / (efficiency * occupied);
    if (time >= bestTime) continue;
    best = { tile, splits };
    bestTime = time;
  }
  return best ?? { tile: smallest, splits: 1 };
}

/** Fits the least that WebGPU allows any device to offer. */
const smallest: Tile = { rows: 16, columns: 16, depth: 16, invocationRows: 4, invocationColumns: 4 };

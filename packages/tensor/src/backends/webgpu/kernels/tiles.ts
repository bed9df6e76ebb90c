import { sizeClass } from '../../../launches.js';
import type { WebGpuMachine } from '../program.js';

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
  /** Whether the next pieces of the operands are fetched into registers while the staged ones are used. */
  readonly prefetch: boolean;
}

/** A tile, and into how many parts the sums are split so that there are enough workgroups. */
export interface Launch {
  readonly tile: Tile;
  readonly splits: number;
  /** The class of shapes that it was chosen for. */
  readonly shapes?: string;
}

export interface ProductShape {
  readonly matrices: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

/** What a tile depends on of a device. */
export type TileMachine = Pick<WebGpuMachine, 'maxWorkgroupBytes' | 'maxInvocations' | 'vendor' | 'launches'>;

/** Vendors whose GPUs have few registers per invocation, by the names of adapters, and the sums that still fit them. */
const fewRegisters = { vendors: ['intel', 'arm', 'qualcomm', 'img-tec'], sums: 32 };

interface Candidate {
  readonly tile: Tile;
  /** Share of the arithmetic throughput that the tile reaches when there is work for the whole device. */
  readonly efficiency: number;
}

const shaped = (
  rows: number,
  columns: number,
  depth: number,
  invocationRows: number,
  invocationColumns: number,
  prefetch = false,
): Tile => ({ rows, columns, depth, invocationRows, invocationColumns, prefetch });

/**
 * Tiles by falling size. The efficiencies are estimates from how many multiply-adds there are per element read from
 * workgroup memory, corrected by what an H200 showed: a product of four million sums reaches 40 TFLOPS in tiles of 128×128;
 * those of 64×64 with 4×8 to an invocation some 27, as far as the average over a model's products tells. A tuner that
 * measures replaces them.
 */
const candidates: readonly Candidate[] = [
  { tile: shaped(128, 128, 16, 8, 8, true), efficiency: 1 },
  { tile: shaped(128, 128, 8, 8, 8, true), efficiency: 0.87 },
  { tile: shaped(128, 64, 16, 8, 8, true), efficiency: 0.95 },
  { tile: shaped(64, 64, 16, 8, 8), efficiency: 0.85 },
  { tile: shaped(64, 64, 16, 4, 8), efficiency: 0.75 },
  { tile: shaped(128, 32, 16, 8, 4), efficiency: 0.66 },
  { tile: shaped(64, 32, 16, 4, 8), efficiency: 0.61 },
  { tile: shaped(32, 32, 16, 4, 4), efficiency: 0.5 },
  { tile: shaped(64, 16, 16, 4, 4), efficiency: 0.42 },
  { tile: shaped(16, 64, 16, 4, 4), efficiency: 0.4 },
  { tile: shaped(64, 8, 16, 4, 4), efficiency: 0.25 },
  { tile: shaped(4, 128, 16, 2, 4), efficiency: 0.2 },
  { tile: shaped(16, 16, 16, 2, 4), efficiency: 0.15 },
  { tile: shaped(8, 8, 16, 1, 4), efficiency: 0.02 },
];

/** Invocations that keep a device busy: a middle way between integrated and large discrete ones. */
const busyInvocations = 2 ** 15;
/** What an invocation does per term besides its sums, in multiply-adds. */
const stagingCost = 8;
/** Least terms that a part of a split sum has. */
const leastDepth = 256;
/** Most parts of a sum: each is written to memory and read again. */
const mostSplits = 32;

export const invocationsOf = (tile: Tile): number =>
  (tile.rows / tile.invocationRows) * (tile.columns / tile.invocationColumns);

/** Bytes of workgroup memory; rows of the left operand are padded by one vector against bank conflicts. */
export const workgroupBytes = ({ rows, columns, depth }: Tile): number =>
  (rows * (depth / 4 + 1) + (depth * columns) / 4) * 16;

/** Every tile that {@link chooseLaunch} may take. */
export const tiles: readonly Tile[] = candidates.map((candidate) => candidate.tile);

/** Vectors of the left operand that an invocation brings into workgroup memory at a time. */
export const stagedVectors = (tile: Tile): number => (tile.rows * tile.depth) / 4 / invocationsOf(tile);

/** Tiles that a device can run and a compiler can take, whether or not they suit it. */
const fitting = ({ maxWorkgroupBytes, maxInvocations }: TileMachine, takes: (tile: Tile) => boolean): Candidate[] =>
  candidates.filter(
    ({ tile }) => workgroupBytes(tile) <= maxWorkgroupBytes && invocationsOf(tile) <= maxInvocations && takes(tile),
  );

/**
 * The launch parameters of a product: the tile that was measured to be the fastest, or the one that takes the least time by the
 * estimates above. The sums are split where there are too few workgroups to keep the device busy.
 *
 * @param operands names what the product reads, which its time depends on, too.
 * @param takes which tiles the operands can be brought into.
 */
export function chooseLaunch(
  shape: ProductShape,
  machine: TileMachine,
  operands = 'matrix',
  takes: (tile: Tile) => boolean = () => true,
): Launch {
  const estimated = estimateTile(shape, machine, takes);
  const { matrices, m, n, k } = shape;
  const shapes = `product of ${operands}, ${[matrices, m, n, k].map(sizeClass).join('×')}`;
  const all = fitting(machine, takes).map((candidate) => candidate.tile);
  const tile = machine.launches?.choose(shapes, all, estimated) ?? estimated;
  return {
    tile,
    splits: estimate(
      shape,
      candidates.find((candidate) => candidate.tile === tile)!,
    ).splits,
    shapes,
  };
}

function estimateTile(shape: ProductShape, machine: TileMachine, takes: (tile: Tile) => boolean): Tile {
  // The last tile fits the least that WebGPU lets a device offer.
  let best = tiles.at(-1)!;
  let bestTime = Infinity;
  const mostSums = fewRegisters.vendors.includes(machine.vendor) ? fewRegisters.sums : Infinity;
  for (const candidate of fitting(machine, takes)) {
    const { tile } = candidate;
    if (tile.invocationRows * tile.invocationColumns > mostSums) continue;
    const { time } = estimate(shape, candidate);
    if (time >= bestTime) continue;
    best = tile;
    bestTime = time;
  }
  return best;
}

/** The time of a product per term of its sums, in multiply-adds of an invocation, with its sums split as far as it pays. */
function estimate(
  { matrices, m, n, k }: ProductShape,
  { tile, efficiency }: Candidate,
): { time: number; splits: number } {
  const blocks = matrices * Math.ceil(m / tile.rows) * Math.ceil(n / tile.columns);
  // What a busy device takes, and what one does that waits for a single workgroup.
  const throughput = (blocks * tile.rows * tile.columns) / (efficiency * busyInvocations);
  const latency = tile.invocationRows * tile.invocationColumns + stagingCost;
  const splits = Math.max(1, Math.min(Math.floor(latency / throughput), Math.floor(k / leastDepth), mostSplits));
  return { time: throughput + latency / splits, splits };
}

/**
 * Neighbouring pixels of a row that an invocation computes: more of them share more of what they read, as long as there are
 * enough invocations.
 *
 * @param width pixels of a row. @param others how often such a row occurs: rows × channels or vectors of them.
 * @param runs that there are, the longest first; 1 is one always.
 */
export function chooseRun(width: number, others: number, runs: readonly number[] = [4, 2]): number {
  return runs.find((run) => width >= run && Math.ceil(width / run) * others >= busyInvocations) ?? 1;
}

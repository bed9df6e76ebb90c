/** What one thread of the CPU can do at most, to compare kernels with. */

export interface WasmPeak {
  /** 10⁹ floating-point operations a second of one thread; a multiply-add is two. */
  readonly gflops: number;
  /** Whether a multiply-add is one instruction here (relaxed SIMD) or two. */
  readonly fused: boolean;
}

/** Independent multiply-adds in flight: enough to hide their latency, few enough for the vector registers. */
const CHAINS = 13;
const LANES = 4;
/** Multiply-adds of each chain in one call, under a millisecond. */
const ROUNDS = 100_000;

/**
 * Measures the multiply-adds of one thread in 128-bit vectors: a loop of independent chains in registers, without loads.
 * Takes the calling thread for its whole duration.
 *
 * @param milliseconds how long to look for an undisturbed moment; a shared machine needs some. Default: 400.
 */
export function measureWasmPeak(milliseconds = 400): WasmPeak {
  const { run, fused } = multiplyAdds();
  let best = Infinity;
  for (const end = performance.now() + milliseconds; performance.now() < end;) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return { gflops: (ROUNDS * CHAINS * LANES * 2) / best / 1e6, fused };
}

/** A fraction of a millisecond of nothing but multiply-adds in registers, and whether they are fused. */
export function multiplyAdds(): { readonly run: () => void; readonly fused: boolean } {
  const relaxed = chainsModule(true);
  const fused = WebAssembly.validate(relaxed);
  const instance = new WebAssembly.Instance(new WebAssembly.Module(fused ? relaxed : chainsModule(false)));
  const loop = instance.exports['f'] as (rounds: number) => void;
  return { run: () => loop(ROUNDS), fused };
}

/**
 * A module whose function `f(rounds)` runs `chain = chain * factor + summand` for all chains, `rounds` times, and stores
 * their sum, so that no engine drops them. Its memory is zeroed, and so are all values.
 */
function chainsModule(fused: boolean): Uint8Array<ArrayBuffer> {
  const vector = (opcode: number): number[] => [0xfd, ...unsigned(opcode)];
  const get = (local: number): number[] => [0x20, local];
  const set = (local: number): number[] => [0x21, local];
  const constant = (value: number): number[] => [0x41, value];
  const loadZero = [...constant(0), ...vector(0), 4, 0];
  // Locals: 0 the rounds left, then factor, summand and chains, which all start as zeros.
  const [rounds, factor, summand, first] = [0, 1, 2, 3];
  const chains = Array.from({ length: CHAINS }, (_, i) => first + i);
  const [multiply, add, relaxedMultiplyAdd] = [vector(0xe6), vector(0xe4), vector(0x105)];
  const step = (chain: number): number[] => {
    const product = [...get(chain), ...get(factor)];
    const sum = fused
      ? [...product, ...get(summand), ...relaxedMultiplyAdd]
      : [...product, ...multiply, ...get(summand), ...add];
    return [...sum, ...set(chain)];
  };
  const body = [
    ...[1, ...unsigned(2 + CHAINS), 0x7b],
    // Loaded, not left as the zeros that locals start with: those an engine may compute ahead.
    ...[factor, summand, ...chains].flatMap((local) => [...loadZero, ...set(local)]),
    ...[0x03, 0x40, ...chains.flatMap(step)],
    // rounds -= 1; again unless it is 0
    ...[...get(rounds), ...constant(1), 0x6b, 0x22, rounds, 0x0d, 0, 0x0b],
    ...[...constant(0), ...chains.flatMap(get), ...chains.slice(1).flatMap(() => add), ...vector(11), 4, 0],
    0x0b,
  ];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [1, 1, 'f'.charCodeAt(0), 0, 0]),
    ...section(10, [1, ...unsigned(body.length), ...body]),
  ]);
}

const section = (id: number, content: readonly number[]): number[] => [id, ...unsigned(content.length), ...content];

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}

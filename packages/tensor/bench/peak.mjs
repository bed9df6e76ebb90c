/**
 * The most multiply-adds that one thread can do in 128-bit vectors: a WebAssembly loop of independent chains in
 * registers, without loads. Fused where the engine has relaxed SIMD, else a multiplication and an addition.
 */
const chains = 13;

/** @param {number} value */
function unsigned(value) {
  const bytes = [];
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  return [...bytes, value];
}

/** @param {number} id @param {number[]} body */
const section = (id, body) => [id, ...unsigned(body.length), ...body];

/** @param {boolean} fused */
function moduleBytes(fused) {
  const vector = (/** @type {number} */ opcode) => [0xfd, ...unsigned(opcode)];
  const get = (/** @type {number} */ local) => [0x20, local];
  const set = (/** @type {number} */ local) => [0x21, local];
  const load = (/** @type {number} */ offset) => [0x41, 0, ...vector(0), 4, offset];
  // Locals: 0 the count, then the factor, the summand and the chains.
  const [factor, summand, first] = [1, 2, 3];
  const each = (/** @type {(local: number) => number[]} */ code) =>
    Array.from({ length: chains }, (_, i) => code(first + i)).flat();
  const step = fused
    ? (/** @type {number} */ local) => [...get(local), ...get(factor), ...get(summand), ...vector(0x105)]
    : (/** @type {number} */ local) => [
        ...get(local),
        ...get(factor),
        ...vector(0xe6),
        ...get(summand),
        ...vector(0xe4),
      ];
  const code = [
    ...[1, ...unsigned(2 + chains), 0x7b],
    ...[...load(0), ...set(factor), ...load(16), ...set(summand)],
    ...each((local) => [...load(0), ...set(local)]),
    ...[0x03, 0x40],
    ...each((local) => [...step(local), ...set(local)]),
    ...[...get(0), 0x41, 1, 0x6b, 0x22, 0, 0x0d, 0, 0x0b],
    ...[0x41, 0, ...load(0)],
    ...each((local) => [...get(local), ...vector(0x51)]),
    ...[...vector(11), 4, 0, 0x0b],
  ];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 1, 0x7f, 0]),
    ...section(3, [1, 0]),
    ...section(5, [1, 0, 1]),
    ...section(7, [1, 1, 0x66, 0, 0]),
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ]);
}

/** GFLOPS of one thread, and whether its multiply-adds are fused. */
export function measurePeak() {
  const relaxed = moduleBytes(true);
  const fused = WebAssembly.validate(relaxed);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(fused ? relaxed : moduleBytes(false)));
  const run = /** @type {(count: number) => void} */ (exports.f);
  const count = 100_000;
  let best = Infinity;
  // Long enough to find an undisturbed moment on a shared machine.
  for (const end = performance.now() + 400; performance.now() < end;) {
    const start = performance.now();
    run(count);
    best = Math.min(best, performance.now() - start);
  }
  return { gflops: (count * chains * 8) / best / 1e6, fused };
}

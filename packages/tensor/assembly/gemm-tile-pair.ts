import { madd } from './simd';

/**
 * The micro-kernel of two panels that lie `panel` bytes apart, for 6 rows and 16 columns of `c`, and for engines that join
 * the instructions on neighbouring vectors into ones of 256 bits; gemm-tile.ts explains the other arguments. The values to
 * start from go on `next` bytes behind `start`, or behind the 8 columns of `c`.
 *
 * Twelve sums of 256 bits, two vectors of b and a number of a: fifteen registers, as many as x64 has to give. V8 joins
 * what leads up to two stores side by side, so each line below has its neighbour as the next one.
 */
export function tilePair(
  segments: usize, count: i32, b: usize, panel: usize, c: usize, pitch: usize, rows: i32, start: usize, next: usize,
): void {
  const c1 = c + (<usize>min(1, rows - 1)) * pitch;
  const c2 = c + (<usize>min(2, rows - 1)) * pitch;
  const c3 = c + (<usize>min(3, rows - 1)) * pitch;
  const c4 = c + (<usize>min(4, rows - 1)) * pitch;
  const c5 = c + (<usize>min(5, rows - 1)) * pitch;
  const i0 = start ? start : c;
  let p0 = v128.load(i0);
  let q0 = v128.load(i0, 16);
  let r0 = v128.load(i0 + next);
  let s0 = v128.load(i0 + next, 16);
  const i1 = start ? start : c1;
  let p1 = v128.load(i1);
  let q1 = v128.load(i1, 16);
  let r1 = v128.load(i1 + next);
  let s1 = v128.load(i1 + next, 16);
  const i2 = start ? start : c2;
  let p2 = v128.load(i2);
  let q2 = v128.load(i2, 16);
  let r2 = v128.load(i2 + next);
  let s2 = v128.load(i2 + next, 16);
  const i3 = start ? start : c3;
  let p3 = v128.load(i3);
  let q3 = v128.load(i3, 16);
  let r3 = v128.load(i3 + next);
  let s3 = v128.load(i3 + next, 16);
  const i4 = start ? start : c4;
  let p4 = v128.load(i4);
  let q4 = v128.load(i4, 16);
  let r4 = v128.load(i4 + next);
  let s4 = v128.load(i4 + next, 16);
  const i5 = start ? start : c5;
  let p5 = v128.load(i5);
  let q5 = v128.load(i5, 16);
  let r5 = v128.load(i5 + next);
  let s5 = v128.load(i5 + next, 16);
  do {
    const end = (<usize>load<u32>(segments)) << 2;
    const a0 = <usize>load<u32>(segments, 4);
    const a1 = <usize>load<u32>(segments, 8);
    const a2 = <usize>load<u32>(segments, 12);
    const a3 = <usize>load<u32>(segments, 16);
    const a4 = <usize>load<u32>(segments, 20);
    const a5 = <usize>load<u32>(segments, 24);
    segments += 28;
    let k: usize = 0;
    do {
      const b0 = v128.load(b);
      const b1 = v128.load(b, 16);
      const b2 = v128.load(b + panel);
      const b3 = v128.load(b + panel, 16);
      const x0 = v128.load32_splat(a0 + k);
      p0 = madd(x0, b0, p0);
      q0 = madd(x0, b1, q0);
      r0 = madd(x0, b2, r0);
      s0 = madd(x0, b3, s0);
      const x1 = v128.load32_splat(a1 + k);
      p1 = madd(x1, b0, p1);
      q1 = madd(x1, b1, q1);
      r1 = madd(x1, b2, r1);
      s1 = madd(x1, b3, s1);
      const x2 = v128.load32_splat(a2 + k);
      p2 = madd(x2, b0, p2);
      q2 = madd(x2, b1, q2);
      r2 = madd(x2, b2, r2);
      s2 = madd(x2, b3, s2);
      const x3 = v128.load32_splat(a3 + k);
      p3 = madd(x3, b0, p3);
      q3 = madd(x3, b1, q3);
      r3 = madd(x3, b2, r3);
      s3 = madd(x3, b3, s3);
      const x4 = v128.load32_splat(a4 + k);
      p4 = madd(x4, b0, p4);
      q4 = madd(x4, b1, q4);
      r4 = madd(x4, b2, r4);
      s4 = madd(x4, b3, s4);
      const x5 = v128.load32_splat(a5 + k);
      p5 = madd(x5, b0, p5);
      q5 = madd(x5, b1, q5);
      r5 = madd(x5, b2, r5);
      s5 = madd(x5, b3, s5);
      k += 4;
      b += 32;
    } while (k != end);
  } while (--count);
  v128.store(c, p0);
  v128.store(c, q0, 16);
  v128.store(c, r0, 32);
  v128.store(c, s0, 48);
  v128.store(c1, p1);
  v128.store(c1, q1, 16);
  v128.store(c1, r1, 32);
  v128.store(c1, s1, 48);
  v128.store(c2, p2);
  v128.store(c2, q2, 16);
  v128.store(c2, r2, 32);
  v128.store(c2, s2, 48);
  v128.store(c3, p3);
  v128.store(c3, q3, 16);
  v128.store(c3, r3, 32);
  v128.store(c3, s3, 48);
  v128.store(c4, p4);
  v128.store(c4, q4, 16);
  v128.store(c4, r4, 32);
  v128.store(c4, s4, 48);
  v128.store(c5, p5);
  v128.store(c5, q5, 16);
  v128.store(c5, r5, 32);
  v128.store(c5, s5, 48);
}

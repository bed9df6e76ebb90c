import { madd } from './simd';

/**
 * The micro-kernel with tiles of 5 rows; see gemm-tile.ts, whose `tile` explains the arguments.
 *
 * Ten sums, two vectors of b and three numbers of a are what V8 before version 13 keeps in registers, if it is kept from
 * loading the numbers of all rows first: in each step of k, some rows stand behind a condition that always holds, and the
 * others follow it. They change places with every step, since a sum that no condition touches would be put off to the
 * step after; both load b for themselves. Four steps share the addresses.
 */
export function tileOfFive(segments: usize, count: i32, b: usize, c: usize, pitch: usize, rows: i32, start: usize): void {
  const c1 = c + (<usize>min(1, rows - 1)) * pitch;
  const c2 = c + (<usize>min(2, rows - 1)) * pitch;
  const c3 = c + (<usize>min(3, rows - 1)) * pitch;
  const c4 = c + (<usize>min(4, rows - 1)) * pitch;
  let l0 = v128.load(start ? start : c);
  let r0 = v128.load(start ? start : c, 16);
  let l1 = v128.load(start ? start : c1);
  let r1 = v128.load(start ? start : c1, 16);
  let l2 = v128.load(start ? start : c2);
  let r2 = v128.load(start ? start : c2, 16);
  let l3 = v128.load(start ? start : c3);
  let r3 = v128.load(start ? start : c3, 16);
  let l4 = v128.load(start ? start : c4);
  let r4 = v128.load(start ? start : c4, 16);
  do {
    const end = (<usize>load<u32>(segments)) << 2;
    const a0 = <usize>load<u32>(segments, 4);
    const a1 = <usize>load<u32>(segments, 8);
    const a2 = <usize>load<u32>(segments, 12);
    const a3 = <usize>load<u32>(segments, 16);
    const a4 = <usize>load<u32>(segments, 20);
    const steps = end & ~15;
    let k: usize = 0;
    if (steps) do {
      const p0 = a0 + k;
      const p1 = a1 + k;
      const p2 = a2 + k;
      const p3 = a3 + k;
      const p4 = a4 + k;
      if (c) {
        const left = v128.load(b);
        const right = v128.load(b, 16);
        const s0 = v128.load32_splat(p0);
        l0 = madd(s0, left, l0);
        r0 = madd(s0, right, r0);
        const s1 = v128.load32_splat(p1);
        l1 = madd(s1, left, l1);
        r1 = madd(s1, right, r1);
        const s2 = v128.load32_splat(p2);
        l2 = madd(s2, left, l2);
        r2 = madd(s2, right, r2);
      }
      {
        const left = v128.load(b);
        const right = v128.load(b, 16);
        const s3 = v128.load32_splat(p3);
        l3 = madd(s3, left, l3);
        r3 = madd(s3, right, r3);
        const s4 = v128.load32_splat(p4);
        l4 = madd(s4, left, l4);
        r4 = madd(s4, right, r4);
      }
      if (pitch) {
        const left = v128.load(b, 32);
        const right = v128.load(b, 48);
        const s3 = v128.load32_splat(p3, 4);
        l3 = madd(s3, left, l3);
        r3 = madd(s3, right, r3);
        const s4 = v128.load32_splat(p4, 4);
        l4 = madd(s4, left, l4);
        r4 = madd(s4, right, r4);
      }
      {
        const left = v128.load(b, 32);
        const right = v128.load(b, 48);
        const s0 = v128.load32_splat(p0, 4);
        l0 = madd(s0, left, l0);
        r0 = madd(s0, right, r0);
        const s1 = v128.load32_splat(p1, 4);
        l1 = madd(s1, left, l1);
        r1 = madd(s1, right, r1);
        const s2 = v128.load32_splat(p2, 4);
        l2 = madd(s2, left, l2);
        r2 = madd(s2, right, r2);
      }
      if (segments) {
        const left = v128.load(b, 64);
        const right = v128.load(b, 80);
        const s0 = v128.load32_splat(p0, 8);
        l0 = madd(s0, left, l0);
        r0 = madd(s0, right, r0);
        const s1 = v128.load32_splat(p1, 8);
        l1 = madd(s1, left, l1);
        r1 = madd(s1, right, r1);
        const s2 = v128.load32_splat(p2, 8);
        l2 = madd(s2, left, l2);
        r2 = madd(s2, right, r2);
      }
      {
        const left = v128.load(b, 64);
        const right = v128.load(b, 80);
        const s3 = v128.load32_splat(p3, 8);
        l3 = madd(s3, left, l3);
        r3 = madd(s3, right, r3);
        const s4 = v128.load32_splat(p4, 8);
        l4 = madd(s4, left, l4);
        r4 = madd(s4, right, r4);
      }
      if (p0) {
        const left = v128.load(b, 96);
        const right = v128.load(b, 112);
        const s3 = v128.load32_splat(p3, 12);
        l3 = madd(s3, left, l3);
        r3 = madd(s3, right, r3);
        const s4 = v128.load32_splat(p4, 12);
        l4 = madd(s4, left, l4);
        r4 = madd(s4, right, r4);
      }
      {
        const left = v128.load(b, 96);
        const right = v128.load(b, 112);
        const s0 = v128.load32_splat(p0, 12);
        l0 = madd(s0, left, l0);
        r0 = madd(s0, right, r0);
        const s1 = v128.load32_splat(p1, 12);
        l1 = madd(s1, left, l1);
        r1 = madd(s1, right, r1);
        const s2 = v128.load32_splat(p2, 12);
        l2 = madd(s2, left, l2);
        r2 = madd(s2, right, r2);
      }
      k += 16;
      b += 128;
    } while (k != steps);
    if (k != end) do {
      const p0 = a0 + k;
      const p1 = a1 + k;
      const p2 = a2 + k;
      const p3 = a3 + k;
      const p4 = a4 + k;
      const left0 = v128.load(b);
      const right0 = v128.load(b, 16);
      if (c) {
        const s0 = v128.load32_splat(p0);
        l0 = madd(s0, left0, l0);
        r0 = madd(s0, right0, r0);
        const s1 = v128.load32_splat(p1);
        l1 = madd(s1, left0, l1);
        r1 = madd(s1, right0, r1);
      }
      if (pitch) {
        const s2 = v128.load32_splat(p2);
        l2 = madd(s2, left0, l2);
        r2 = madd(s2, right0, r2);
        const s3 = v128.load32_splat(p3);
        l3 = madd(s3, left0, l3);
        r3 = madd(s3, right0, r3);
      }
      if (segments) {
        const s4 = v128.load32_splat(p4);
        l4 = madd(s4, left0, l4);
        r4 = madd(s4, right0, r4);
      }
      k += 4;
      b += 32;
    } while (k != end);
    segments += 24;
  } while (--count);
  v128.store(c, l0);
  v128.store(c, r0, 16);
  v128.store(c1, l1);
  v128.store(c1, r1, 16);
  v128.store(c2, l2);
  v128.store(c2, r2, 16);
  v128.store(c3, l3);
  v128.store(c3, r3, 16);
  v128.store(c4, l4);
  v128.store(c4, r4, 16);
}

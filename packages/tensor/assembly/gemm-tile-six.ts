import { madd } from './simd';

/**
 * The micro-kernel with tiles of 6 rows; see gemm-tile.ts, whose `tile` explains the arguments.
 *
 * What bounds it are the instructions besides the multiply-adds, not the multiply-adds: four steps of k share the
 * addresses. Each step stands behind a condition that always holds, which keeps V8 from loading the operands of all
 * four at the beginning, for want of registers to hold them.
 */
export function tileOfSix(segments: usize, count: i32, b: usize, c: usize, pitch: usize, rows: i32, start: usize): void {
  const c1 = c + (<usize>min(1, rows - 1)) * pitch;
  const c2 = c + (<usize>min(2, rows - 1)) * pitch;
  const c3 = c + (<usize>min(3, rows - 1)) * pitch;
  const c4 = c + (<usize>min(4, rows - 1)) * pitch;
  const c5 = c + (<usize>min(5, rows - 1)) * pitch;
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
  let l5 = v128.load(start ? start : c5);
  let r5 = v128.load(start ? start : c5, 16);
  do {
    const end = (<usize>load<u32>(segments)) << 2;
    const a0 = <usize>load<u32>(segments, 4);
    const a1 = <usize>load<u32>(segments, 8);
    const a2 = <usize>load<u32>(segments, 12);
    const a3 = <usize>load<u32>(segments, 16);
    const a4 = <usize>load<u32>(segments, 20);
    const a5 = <usize>load<u32>(segments, 24);
    const steps = end & ~15;
    let k: usize = 0;
    if (steps) do {
      const p0 = a0 + k;
      const p1 = a1 + k;
      const p2 = a2 + k;
      const p3 = a3 + k;
      const p4 = a4 + k;
      const p5 = a5 + k;
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
        const s3 = v128.load32_splat(p3);
        l3 = madd(s3, left, l3);
        r3 = madd(s3, right, r3);
        const s4 = v128.load32_splat(p4);
        l4 = madd(s4, left, l4);
        r4 = madd(s4, right, r4);
        const s5 = v128.load32_splat(p5);
        l5 = madd(s5, left, l5);
        r5 = madd(s5, right, r5);
      }
      if (b) {
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
        const s3 = v128.load32_splat(p3, 4);
        l3 = madd(s3, left, l3);
        r3 = madd(s3, right, r3);
        const s4 = v128.load32_splat(p4, 4);
        l4 = madd(s4, left, l4);
        r4 = madd(s4, right, r4);
        const s5 = v128.load32_splat(p5, 4);
        l5 = madd(s5, left, l5);
        r5 = madd(s5, right, r5);
      }
      if (pitch) {
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
        const s3 = v128.load32_splat(p3, 8);
        l3 = madd(s3, left, l3);
        r3 = madd(s3, right, r3);
        const s4 = v128.load32_splat(p4, 8);
        l4 = madd(s4, left, l4);
        r4 = madd(s4, right, r4);
        const s5 = v128.load32_splat(p5, 8);
        l5 = madd(s5, left, l5);
        r5 = madd(s5, right, r5);
      }
      if (segments) {
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
        const s3 = v128.load32_splat(p3, 12);
        l3 = madd(s3, left, l3);
        r3 = madd(s3, right, r3);
        const s4 = v128.load32_splat(p4, 12);
        l4 = madd(s4, left, l4);
        r4 = madd(s4, right, r4);
        const s5 = v128.load32_splat(p5, 12);
        l5 = madd(s5, left, l5);
        r5 = madd(s5, right, r5);
      }
      k += 16;
      b += 128;
    } while (k != steps);
    if (k != end) do {
      const left = v128.load(b);
      const right = v128.load(b, 16);
      const s0 = v128.load32_splat(a0 + k);
      l0 = madd(s0, left, l0);
      r0 = madd(s0, right, r0);
      const s1 = v128.load32_splat(a1 + k);
      l1 = madd(s1, left, l1);
      r1 = madd(s1, right, r1);
      const s2 = v128.load32_splat(a2 + k);
      l2 = madd(s2, left, l2);
      r2 = madd(s2, right, r2);
      const s3 = v128.load32_splat(a3 + k);
      l3 = madd(s3, left, l3);
      r3 = madd(s3, right, r3);
      const s4 = v128.load32_splat(a4 + k);
      l4 = madd(s4, left, l4);
      r4 = madd(s4, right, r4);
      const s5 = v128.load32_splat(a5 + k);
      l5 = madd(s5, left, l5);
      r5 = madd(s5, right, r5);
      k += 4;
      b += 32;
    } while (k != end);
    segments += 28;
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
  v128.store(c5, l5);
  v128.store(c5, r5, 16);
}

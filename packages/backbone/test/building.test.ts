import { expect, test } from 'vitest';
import { InternImage, variants } from '../src/index.js';

test('building the largest variant allocates nothing', () => {
  const before = process.memoryUsage().rss;
  expect(new InternImage(variants.H).parameterCount()).toBe(1_073_122_480);
  expect(process.memoryUsage().rss - before).toBeLessThan(64 << 20);
});

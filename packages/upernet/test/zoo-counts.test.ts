/** The six official models: names, shapes, #param and FLOPs, exactly. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { variants, type Variant } from '@ii/backbone';
import { UperNet, upernetFlops } from '../src/index.js';

interface ZooEntry {
  readonly parametersSha256: string;
  readonly buffersSha256: string;
  readonly params: number;
  readonly flops: Readonly<Record<string, number>>;
}

const zoo = JSON.parse(readFileSync(new URL('fixtures/golden/zoo.json', import.meta.url), 'utf8')) as Record<
  Variant,
  ZooEntry
>;

const digest = (entries: Iterable<[string, { readonly shape: readonly number[] }]>): string => {
  const list = [...entries].map(([name, { shape }]) => [name, shape]);
  return createHash('sha256').update(JSON.stringify(list)).digest('hex');
};

test.each(Object.keys(variants) as Variant[])('%s', (name) => {
  const config = { backbone: variants[name] };
  const network = new UperNet(config);
  const expected = zoo[name];
  expect(network.parameterCount()).toBe(expected.params);
  expect(digest(network.namedParameters())).toBe(expected.parametersSha256);
  expect(digest(network.namedBuffers())).toBe(expected.buffersSha256);
  for (const [size, flops] of Object.entries(expected.flops)) {
    const [h, w] = size.split('x').map(Number) as [number, number];
    expect(upernetFlops(config, [h, w]), size).toBe(flops);
  }
});

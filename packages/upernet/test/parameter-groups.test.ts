/** The official optimiser's parameter groups of all six models, exactly. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { variants, type Variant } from '@ii/backbone';
import { freezeStages, layerDecayGroups, UperNet } from '../src/index.js';

interface Table {
  readonly config: { readonly num_layers: number; readonly layer_decay: number };
  readonly count: number;
  readonly sha256: string;
  readonly lrScales: readonly (number | null)[];
  readonly runs: readonly (readonly [layer: number, weightDecay: number, count: number])[];
}

const tables = JSON.parse(
  readFileSync(new URL('fixtures/golden/param_tables.json', import.meta.url), 'utf8'),
) as Record<Variant, Table>;

type Row = readonly [name: string, shape: readonly number[], lrScale: number, weightDecay: number, layer: number];

/** The groups as the original's table has them: one row for each parameter, in the model's order. */
function rowsOf(network: UperNet, layerDecay: number): Row[] {
  const rows = new Map<string, Row>();
  for (const { parameters, lrScale, weightDecay, layer } of layerDecayGroups(network, { layerDecay })) {
    for (const [name, { shape }] of parameters) rows.set(name, [name, shape, lrScale, weightDecay, layer]);
  }
  return [...network.namedParameters()].map(([name]) => rows.get(name)!);
}

describe('layerDecayGroups', () => {
  it.each(Object.keys(variants) as Variant[])('are those of the official %s', (variant) => {
    const { config, count, sha256, lrScales, runs } = tables[variant];
    const rows = rowsOf(new UperNet({ backbone: variants[variant] }), config.layer_decay);
    expect(rows).toHaveLength(count);
    const found: [number, number, number][] = [];
    for (const [, , , weightDecay, layer] of rows) {
      const last = found.at(-1);
      if (last?.[0] === layer && last[1] === weightDecay) last[2]++;
      else found.push([layer, weightDecay, 1]);
    }
    expect(found).toEqual(runs);
    for (const [name, , lrScale, , layer] of rows) expect(lrScale, name).toBe(lrScales[layer]);
    expect(createHash('sha256').update(JSON.stringify(rows)).digest('hex')).toBe(sha256);
  });

  it('leaves frozen stages out', () => {
    const network = new UperNet({ backbone: { channels: 16, depths: [1, 1, 2, 1], groups: [1, 2, 4, 8] } });
    const all = layerDecayGroups(network).flatMap(({ parameters }) => [...parameters.keys()]);
    freezeStages(network, 2);
    const names = layerDecayGroups(network).flatMap(({ parameters }) => [...parameters.keys()]);
    const frozen = all.filter((name) => /^backbone\.(patch_embed|levels\.[01])\./.test(name));
    // The stem, and two stages of one block each with norm and downsampling.
    expect(frozen).toHaveLength(8 + 2 * 25);
    expect([...names].sort()).toEqual(all.filter((name) => !frozen.includes(name)).sort());
  });

  it('refuses impossible numbers', () => {
    const network = new UperNet({ backbone: { channels: 16, depths: [1], groups: [1] }, auxiliaryHead: null });
    expect(() => layerDecayGroups(network, { layerDecay: 1.1 })).toThrow(
      'layerDecay must be above 0 and up to 1, got 1.1',
    );
    expect(() => layerDecayGroups(network, { weightDecay: -1 })).toThrow('weightDecay must be at least 0, got -1');
    expect(() => freezeStages(network, 2)).toThrow('frozenStages: expected -1 (none) to 1, got 2');
  });
});

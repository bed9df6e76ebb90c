import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError, IIError } from '@ii/tensor';
import { ConfigFileError, officialModels, parseConfig, readConfigFile } from '../src/index.js';

const backbone = { channels: 16, depths: [1, 1, 1, 1], groups: [1, 2, 4, 8] };

/** What a wrong configuration is refused with. */
function problems(config: unknown): readonly string[] {
  try {
    parseConfig(JSON.stringify(config), 'my.json');
  } catch (error) {
    if (error instanceof ConfigFileError) return error.problems;
  }
  throw new Error('not refused by a ConfigFileError');
}

describe('parseConfig', () => {
  it.each(officialModels.map((model) => [model.name, model] as const))(
    'reads back the configuration of %s',
    (_, model) => {
      const text = JSON.stringify({ ...model.config, testScale: model.testScale });
      expect(parseConfig(text)).toEqual({ config: model.config, testScale: model.testScale });
    },
  );

  it('needs no heads, takes null for the auxiliary head, and a byte order mark', () => {
    expect(parseConfig(`\uFEFF${JSON.stringify({ backbone })}`)).toEqual({ config: { backbone } });
    expect(parseConfig(JSON.stringify({ backbone, auxiliaryHead: null })).config.auxiliaryHead).toBeNull();
  });

  it('names an unknown key with the nearest known one', () => {
    expect(problems({ backbone, numClases: 3 })).toEqual([
      "unknown key 'numClases'; did you mean 'numClasses'? (known there: backbone, decodeHead, auxiliaryHead, numClasses, testScale)",
    ]);
    expect(problems({ backbone: { ...backbone, offset_scale: 2 } })[0]).toMatch(
      /^unknown key 'backbone\.offset_scale'; did you mean 'offsetScale'\?/,
    );
    expect(problems({ backbone, decodeHead: { zzz: 1 } })[0]).toBe(
      "unknown key 'decodeHead.zzz' (known there: channels, poolScales, dropoutRatio)",
    );
  });

  it.each([
    [{ ...backbone, channels: '64' }, 'backbone.channels: expected a number, got "64"'],
    [{ ...backbone, channels: 1.5 }, 'backbone.channels: expected a whole number, got 1.5'],
    [{ ...backbone, channels: -2 }, 'backbone.channels: expected at least 1, got -2'],
    [{ ...backbone, depths: [1, 'x', 1, 1] }, 'backbone.depths[1]: expected a number, got "x"'],
    [{ ...backbone, depths: 4 }, 'backbone.depths: expected an array, got 4'],
    [{ ...backbone, postNorm: 'no' }, 'backbone.postNorm: expected a boolean, got "no"'],
    [{ ...backbone, dropPathRate: 2 }, 'backbone.dropPathRate: expected at most 1, got 2'],
    [{ depths: [1], groups: [1] }, 'backbone.channels is missing'],
    // Values that are right alone and wrong together.
    [{ ...backbone, groups: [3, 2, 4, 8] }, 'backbone.groups: stage 0 has 16 channels, which 3 groups do not divide'],
    [{ ...backbone, groups: [1] }, 'backbone.groups: expected 4 entries (one per stage), got 1'],
  ])('%j: names the value by its path', (value, message) => {
    expect(problems({ backbone: value })).toEqual([message]);
  });

  it('lists every problem', () => {
    expect(problems({ backbone: { ...backbone, channels: true, depth: 3 }, testScale: [1] })).toHaveLength(3);
    expect(problems({})).toEqual(['backbone is missing']);
    expect(problems([])).toHaveLength(1);
    expect(problems(null)).toEqual(['the file: expected an object, got null']);
  });

  it('refuses text that is not JSON', () => {
    expect(() => parseConfig('model = dict()', 'a.py')).toThrow(FormatError);
    expect(() => parseConfig('model = dict()', 'a.py')).toThrow(/'a\.py' is not JSON/);
  });
});

describe('readConfigFile', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ii-config-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('reads a file', async () => {
    const path = join(folder, 'model.json');
    await writeFile(path, JSON.stringify({ backbone, testScale: [640, 160] }));
    expect((await readConfigFile(path)).testScale).toEqual([640, 160]);
  });

  it('says when there is none', async () => {
    const failure = await readConfigFile(join(folder, 'no.json')).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(IIError);
    expect(String(failure)).toMatch(/cannot open the configuration .*no\.json': there is no such file/);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readElements, type StateDict, type TraceEntry } from '@ii/tensor';
import { upernetFlops, type UperNetConfig } from '@ii/upernet';
import { showTrace, traceRows, type TraceRow } from '../../src/cli/trace-table.js';
import { untrainedWeights } from '../../src/cli/untrained-weights.js';
import { countModel, demoModel, getModel } from '../../src/index.js';
import { checkpointOf, ii, iiWith, tinyConfig } from '../support.js';

interface Report {
  readonly model: string | null;
  readonly weights: unknown;
  readonly size: readonly number[];
  readonly device: string;
  readonly threads: number | null;
  readonly medianMs: number;
  readonly minMs: number;
  readonly warmupMs: number;
  readonly loadMs: number;
  readonly runsMs: readonly number[];
  readonly peakRssBytes: number;
  readonly macs: number;
  readonly trace?: { readonly peakGflops: number | null; readonly kernels: readonly TraceRow[] };
}

interface TrainingReport extends Pick<Report, 'runsMs' | 'trace'> {
  readonly withCp: boolean;
  readonly forwardMs: number;
  readonly backwardMs: number;
  readonly stepMs: number;
  readonly activationBytes: number;
}

async function report(...argv: string[]): Promise<Report> {
  const { status, stdout, stderr } = await ii('bench', ...argv, '--json');
  expect([status, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Report;
}

let folder: string;
const at = (name: string): string => join(folder, name);
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ii-bench-'));
  await writeFile(at('tiny.json'), JSON.stringify(tinyConfig));
  await writeFile(at('tiny.safetensors'), await checkpointOf(tinyConfig, 7));
});
afterAll(() => rm(folder, { recursive: true }));

describe('ii bench', () => {
  it('times a model and says what it measured', async () => {
    const peakBefore = process.resourceUsage().maxRSS * 1024;
    const result = await report('--size', '64x96', '--device', 'wasm', '--threads', '2', '--runs', '4');
    const peakAfter = process.resourceUsage().maxRSS * 1024;
    expect(result).toMatchObject({
      ...{ model: 'demo', size: [64, 96], device: 'wasm', threads: 2 },
      weights: { kind: 'untrained', seed: 0 },
      macs: countModel(demoModel.config, [64, 96]).flops,
    });
    const sorted = result.runsMs.toSorted((a, b) => a - b);
    expect(sorted).toHaveLength(4);
    expect(result.minMs).toBe(sorted[0]);
    expect(result.medianMs).toBeCloseTo((sorted[1]! + sorted[2]!) / 2, 0);
    for (const time of [result.warmupMs, result.loadMs, result.minMs]) expect(time).toBeGreaterThan(0);
    expect(result.peakRssBytes).toBeGreaterThanOrEqual(peakBefore);
    expect(result.peakRssBytes).toBeLessThanOrEqual(peakAfter);
    expect(result.trace).toBeUndefined();
  });

  it('traces every kernel', async () => {
    const { trace, macs } = await report(
      '--size',
      '64x64',
      '--device',
      'wasm',
      '--threads',
      '0',
      '--runs',
      '1',
      '--trace',
    );
    const { peakGflops, kernels } = trace!;
    expect(peakGflops).toBeGreaterThan(1);
    expect(kernels.map(({ kernel }) => kernel)).toEqual(
      expect.arrayContaining(['conv2d', 'linear', 'dcnv3', 'layerNorm', 'resizeArgmax']),
    );
    // Most of the arithmetic is in linear layers and convolutions, which count theirs.
    const linear = kernels.filter(({ kernel }) => kernel === 'linear').reduce((sum, { flops }) => sum + flops, 0);
    expect(linear).toBeGreaterThan(0);
    expect(linear).toBeLessThan(2 * macs);
    for (const { flops, milliseconds, gflops, ofPeak } of kernels) {
      expect(gflops).toBeCloseTo(milliseconds > 0 ? flops / milliseconds / 1e6 : 0, 6);
      expect(ofPeak).toBeCloseTo(gflops / peakGflops!, 6);
    }
  });

  it('times training iterations in parts, and checkpoints hold less', async () => {
    const arguments_ = ['bench', '--train', '--size', '64x64', '--device', 'wasm', '--threads', '1', '--runs', '2'];
    const measure = async (...more: string[]): Promise<TrainingReport> => {
      const { status, stdout, stderr } = await ii(...arguments_, ...more, '--json');
      expect([status, stderr]).toEqual([0, '']);
      return JSON.parse(stdout) as TrainingReport;
    };
    const plain = await measure('--trace');
    expect(plain).toMatchObject({ size: [64, 64], batch: 2, withCp: false, device: 'wasm', threads: 1 });
    for (const part of [plain.forwardMs, plain.backwardMs, plain.stepMs]) expect(part).toBeGreaterThan(0);
    expect(plain.runsMs).toHaveLength(2);
    expect(plain.trace!.kernels.map(({ kernel }) => kernel)).toEqual(
      expect.arrayContaining(['dcnv3', 'dcnv3Gradient', 'layerNormGradient', 'resizeCrossEntropyGradient', 'adamW']),
    );
    const checkpointed = await measure('--with-cp');
    expect(checkpointed.withCp).toBe(true);
    expect(checkpointed.activationBytes).toBeLessThan(plain.activationBytes);
  });

  it('trains with checkpoints where the configuration has them and no flag says otherwise', async () => {
    const checkpointing = { ...tinyConfig, backbone: { ...tinyConfig.backbone, withCp: true } };
    await writeFile(at('checkpointing.json'), JSON.stringify(checkpointing));
    const measure = async (...more: string[]): Promise<TrainingReport> => {
      const what = ['--config', at('checkpointing.json'), '--size', '64x64', '--device', 'wasm', '--threads', '0'];
      const { stdout } = await ii('bench', '--train', ...what, '--runs', '1', ...more, '--json');
      return JSON.parse(stdout) as TrainingReport;
    };
    const [checkpointed, plain] = [await measure(), await measure('--no-with-cp')];
    expect([checkpointed.withCp, plain.withCp]).toEqual([true, false]);
    expect(checkpointed.activationBytes).toBeLessThan(plain.activationBytes);
  });

  it('runs a checkpoint', async () => {
    const file = at('tiny.safetensors');
    const result = await report(
      '--checkpoint',
      file,
      '--config',
      at('tiny.json'),
      '--size',
      '33x70',
      '--runs',
      '1',
      '--device',
      'wasm',
    );
    expect(result).toMatchObject({ model: null, size: [33, 70], weights: { kind: 'checkpoint', file } });
  });

  it('runs a configuration without weights, on a device without threads', async () => {
    const flags = ['--size', '32x32', '--runs', '2', '--device', 'reference', '--tune'];
    const result = await report('--config', at('tiny.json'), ...flags);
    // Only GPUs have launch parameters to choose from.
    expect(result).toMatchObject({ model: null, device: 'reference', threads: null, tuned: false });
    expect(result.macs).toBe(Math.round(upernetFlops(tinyConfig, [32, 32])));
  });

  it('is readable', async () => {
    const { stdout } = await ii(
      'bench',
      '--size',
      '32x64',
      '--device',
      'wasm',
      '--threads',
      '1',
      '--runs',
      '1',
      '--trace',
    );
    expect(stdout).toMatch(/^demonstration model, 32×64 on wasm, 1 thread\nmedian +\S+ m?s \(1 run\)\n/);
    expect(stdout).toMatch(/\npeak memory +[\d.]+ [MG]B\n/);
    expect(stdout).toMatch(/\nkernels of one run; the device's peak is [\d.]+ GFLOPS\nkernel +ms +share +calls/);
    expect(stdout).toMatch(/\nall +[\d.]+ +\d+\n$/);
  });

  it('stops when it is aborted', async () => {
    const { status } = await iiWith(
      { signal: AbortSignal.abort(new Error('enough')) },
      'bench',
      '--size',
      '32x32',
      '--device',
      'wasm',
    );
    expect(status).toBe(1);
  });

  it.each<[string, string[], RegExp]>([
    ['no runs', ['--runs', '0'], /whole number from 1 to 1000/],
    ['half a size', ['--size', '512'], /HEIGHTxWIDTH/],
    ['an unknown model', ['--model', 'internimage-tt'], /did you mean internimage-t/],
    ['a seed for a checkpoint', ['--checkpoint', 'x.pth', '--seed', '1'], /--seed is for untrained weights/],
    ['an unknown device', ['--device', 'cuda'], /Allowed choices are auto, /],
  ])('%s: refused', async (_, argv, message) => {
    const { status, stderr } = await ii('bench', ...argv);
    expect(stderr).toMatch(message);
    expect(status).toBe(2);
  });
});

describe('untrained weights', () => {
  const values = async (weights: StateDict, name: string): Promise<number[]> =>
    Array.from(await readElements(weights.get(name)!), Number);

  it('depend on the seed and the name only', async () => {
    const name = 'backbone.levels.0.blocks.0.mlp.fc1.weight';
    const [one, same, other] = [7, 7, 8].map((seed) => untrainedWeights(tinyConfig, seed));
    expect(await values(one!, name)).toEqual(await values(same!, name));
    expect(await values(one!, name)).not.toEqual(await values(other!, name));
    const sibling = name.replace('levels.0', 'levels.1');
    expect((await values(one!, name)).slice(0, 9)).not.toEqual((await values(one!, sibling)).slice(0, 9));
  });

  it('keep the variance of products and the meaning of the other parameters', async () => {
    const weights = untrainedWeights(getModel('T').config, 0);
    const matrix = await values(weights, 'decode_head.bottleneck.conv.weight');
    const fanIn = (512 + 4 * 512) * 9;
    expect(matrix).toHaveLength(512 * fanIn);
    const variance = matrix.reduce((sum, value) => sum + value * value, 0) / matrix.length;
    expect(variance * fanIn).toBeGreaterThan(0.97);
    expect(variance * fanIn).toBeLessThan(1.03);
    // Rows of more than one length of the run differ all the same.
    expect(matrix.slice(0, 99)).not.toEqual(matrix.slice(4 * fanIn, 4 * fanIn + 99));

    for (const [name, low, high] of [
      ['decode_head.bottleneck.bn.running_var', 0.7, 1.3],
      ['decode_head.bottleneck.bn.weight', 0.8, 1.2],
      ['decode_head.bottleneck.bn.running_mean', -0.1, 0.1],
      ['backbone.levels.2.blocks.3.gamma1', 0.4, 0.6],
      ['backbone.levels.2.blocks.3.dcn.offset.weight', -0.5 / 16, 0.5 / 16],
    ] as const) {
      const parameter = await values(weights, name);
      expect(Math.min(...parameter)).toBeGreaterThanOrEqual(Math.fround(low));
      expect(Math.max(...parameter)).toBeLessThanOrEqual(Math.fround(high));
      expect(new Set(parameter).size).toBeGreaterThan(parameter.length / 2);
    }
  });

  it.each<[string, UperNetConfig]>([
    ['the demo model', demoModel.config],
    [
      'the parts of H',
      { ...tinyConfig, backbone: { ...tinyConfig.backbone, resPostNorm: true, centerFeatureScale: true } },
    ],
  ])('fit %s', async (_, config) => {
    await writeFile(at('model.json'), JSON.stringify(config));
    const { runsMs } = await report('--config', at('model.json'), '--size', '32x32', '--runs', '1', '--device', 'wasm');
    expect(runsMs).toHaveLength(1);
  });
});

describe('the table of a trace', () => {
  const entry = (kernel: string, milliseconds: number, flops: number, ...steps: string[]): TraceEntry => ({
    ...{ kernel, milliseconds, flops, bytes: 4e6, shape: [1] },
    steps: steps.map((step) => ({ step, milliseconds: milliseconds / steps.length })),
  });
  const entries = [
    entry('conv2d', 2, 4e8, 'winogradInput', 'gemm', 'gemm'),
    entry('conv2d', 1, 2e8, 'gemmConv'),
    entry('resize', 9, 0, 'resize'),
    entry('conv2d', 3, 6e8, 'winogradInput', 'gemm'),
  ];

  it('tells the algorithms of a kernel apart, the longest first', () => {
    const rows = traceRows(entries, 400);
    expect(rows.map(({ kernel, steps, calls }) => [kernel, steps, calls])).toEqual([
      ['resize', ['resize'], 1],
      ['conv2d', ['winogradInput', 'gemm'], 2],
      ['conv2d', ['gemmConv'], 1],
    ]);
    expect(rows[1]).toMatchObject({ milliseconds: 5, flops: 1e9, bytes: 8e6, gflops: 200, gbps: 1.6, ofPeak: 0.5 });
    expect(traceRows(entries, null)[0]!.ofPeak).toBeNull();
  });

  it('shows what is counted', () => {
    const [, resize, winograd, , all] = showTrace(traceRows(entries, 400));
    expect(resize!.split(/\s{2,}/)).toEqual(['resize', '9.00', '60.0 %', '1', '0.4', 'resize']);
    expect(winograd!.split(/\s{2,}/)).toEqual([
      'conv2d',
      '5.00',
      '33.3 %',
      '2',
      '200.0',
      '1.6',
      '50.0 %',
      'winogradInput gemm',
    ]);
    expect(all!.split(/\s{2,}/)).toEqual(['all', '15.00', '4']);
  });
});

/**
 * Latency of II on an untrained model of the zoo, as `ii bench` measures it: from the input tensor to the label map.
 * Prints one JSON line.
 *
 *   node ii.mjs --model T --size 512x512 [--device wasm|webgpu] [--threads N] [--runs R]
 */
import { parseArgs } from 'node:util';
import { createUperNet } from '../../packages/upernet/dist/index.js';
import { LabelTask } from '../../packages/zoo/dist/cli/label-task.js';
import { parseSize, parseThreads } from '../../packages/zoo/dist/cli/options.js';
import { untrainedWeights } from '../../packages/zoo/dist/cli/untrained-weights.js';
import { findModel } from '../../packages/zoo/dist/registry.js';
import { tell, timeRuns } from './turns.mjs';

const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'T' },
    size: { type: 'string', default: '512x512' },
    device: { type: 'string', default: 'wasm' },
    threads: { type: 'string', default: '2' },
    runs: { type: 'string', default: '3' },
  },
});
const size = parseSize(values.size);
const threads = parseThreads(values.threads);

const loading = performance.now();
const found = findModel(values.model);
if (!found) throw new Error(`'${values.model}' is no model of the zoo`);
const weights = untrainedWeights(found.config, 0);
const model = await createUperNet(found.config, { weights, device: values.device, threads, experimentalSimd: true });
const loadMs = performance.now() - loading;

const task = new LabelTask(model, size);
const times = await timeRuns({ run: () => task.run(), warmUp: () => task.warmUp(), runs: Number(values.runs) });
await tell({
  ...{ runtime: 'ii', threads, selection: model.device.selection, loadMs, ...times },
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
});
process.exit(0);

/**
 * Makes the demonstration model from nothing: draws the scenes, trains on them, writes the weights into @ii/zoo and
 * measures them on scenes of another seed. A run that was stopped goes on when it is started again:
 * node scripts/demo-model/train.mjs [WORK_DIR]
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as prettier from 'prettier';
import { publish } from './publish.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const work = process.argv[2] ?? join(root, '.demo-model');
const scenes = join(work, 'scenes');
const heldOut = join(work, 'held-out');
const run = join(work, 'run');

/** @param {string[]} argv */
const ii = (...argv) =>
  execFileSync(process.execPath, [join(root, 'packages/zoo/bin/ii.js'), ...argv], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });

/** @param {string} out @param {string[]} flags */
function draw(out, ...flags) {
  // Half a set is drawn again.
  if (existsSync(join(out, 'complete'))) return;
  rmSync(out, { recursive: true, force: true });
  console.log(ii('synthesize', '--out', out, '--size', '160x208', ...flags));
  writeFileSync(join(out, 'complete'), '');
}

draw(scenes, '--count', '2500', '--validation', '60', '--seed', '1', '--classes', 'scenes');
draw(heldOut, '--count', '0', '--validation', '500', '--seed', '2');

const config = join(root, 'scripts/demo-model/train.json');
console.log(ii('train', '--config', config, '--data', scenes, '--work-dir', run, '--device', 'wasm', '--resume'));

await publish(join(run, 'best.safetensors'), join(root, 'packages/zoo/models/demo.safetensors'));
const docs = join(root, 'docs/demo-model');
mkdirSync(docs, { recursive: true });
const log = join(docs, 'train.log.json');
copyFileSync(join(run, 'train.log.json'), log);
ii('log', 'plot', log, '-o', join(docs, 'curves.svg'));
const evaluation = JSON.parse(ii('evaluate', '--data', heldOut, '--model', 'demo', '--device', 'wasm', '--json'));
const { images, scale, metrics, perClass } = evaluation;
const seen = perClass.filter((/** @type {{ iou: number | null }} */ { iou }) => iou !== null);
const figures = { images, scale, metrics, perClass: seen };
const filepath = join(docs, 'evaluation.json');
const style = await prettier.resolveConfig(filepath);
writeFileSync(filepath, await prettier.format(JSON.stringify(figures), { ...style, filepath }));

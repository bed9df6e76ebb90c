/**
 * Fine-tunes the demonstration model on the three photos of ADE20K that the tests use, and says how many of their pixels
 * it then labels right: node scripts/demo-model/finetune.mjs WORK_DIR
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const [work] = process.argv.slice(2);
if (work === undefined) throw new Error('give a folder to work in: node scripts/demo-model/finetune.mjs WORK_DIR');

const photos = join(root, 'packages/ade20k/test/fixtures/ade20k-sample');
const data = join(work, 'photos');
for (const [folder, suffix] of /** @type {const} */ ([
  ['images', '.jpg'],
  ['annotations', '.png'],
])) {
  mkdirSync(join(data, folder), { recursive: true });
  for (const file of readdirSync(photos).filter((name) => name.endsWith(suffix))) {
    copyFileSync(join(photos, file), join(data, folder, file));
  }
}
const config = join(root, 'scripts/demo-model/finetune.json');
const argv = ['train', '--config', config, '--data', data, '--work-dir', join(work, 'run'), '--device', 'wasm'];
execFileSync(process.execPath, [join(root, 'packages/zoo/bin/ii.js'), ...argv], { stdio: 'inherit' });

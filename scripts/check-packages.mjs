/**
 * Packs every package as it would be published and checks the tarball: each path that its package.json promises is in
 * it, publint finds no fault, and its types resolve for ESM consumers (attw). Run it after a build.
 *
 *   node scripts/check-packages.mjs [PACKAGE…]     folder names under packages/, all by default
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const folders = process.argv.length > 2 ? process.argv.slice(2) : readdirSync(join(root, 'packages'));
const temporary = mkdtempSync(join(tmpdir(), 'ii-pack-'));

/** @param {string} command @param {string[]} args @param {string} cwd */
function run(command, args, cwd = root) {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.error) throw result.error;
  return { ok: result.status === 0, stdout: result.stdout, output: result.stdout + result.stderr };
}

/** @param {string} tool */
const bin = (tool) => join(root, 'node_modules', '.bin', tool);

/** Faults of one package, empty if it is fit to publish. @param {string} folder */
function check(folder) {
  const path = join(root, 'packages', folder);
  const manifest = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'));
  const faults = manifest.files
    .filter((/** @type {string} */ file) => !existsSync(join(path, file)))
    .map((/** @type {string} */ file) => `"files" names ${file}, which does not exist`);

  const packed = run('npm', ['pack', '--json', '--pack-destination', temporary], path);
  if (!packed.ok) return [...faults, packed.output];
  const tarball = join(temporary, tarballName(packed.stdout));

  for (const [tool, args] of /** @type {[string, string[]][]} */ ([
    ['publint', ['run', tarball, '--strict']],
    ['attw', [tarball, '--profile', 'esm-only', '--no-emoji', '--format', 'ascii']],
  ])) {
    const result = run(bin(tool), args);
    if (!result.ok) faults.push(result.output);
  }
  return faults;
}

/** npm 11 prints a list of packed packages, npm 12 an object by name. @param {string} json */
function tarballName(json) {
  const [packed] = Object.values(JSON.parse(json));
  return packed.filename;
}

try {
  for (const folder of folders) {
    const faults = check(folder);
    console.log(`packages/${folder}: ${faults.length === 0 ? 'fit to publish' : 'NOT fit to publish'}`);
    for (const fault of faults) console.error(fault.replaceAll(/^/gm, '  '));
    if (faults.length > 0) process.exitCode = 1;
  }
} finally {
  rmSync(temporary, { recursive: true, force: true });
}

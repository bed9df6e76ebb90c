/**
 * Compiles a package's AssemblyScript kernels twice, with and without relaxed SIMD, into one TypeScript module that
 * exports a `WasmLibrary`; with `--tiles` twice more, with relaxed SIMD and the matrix product's larger tiles.
 *
 *     node scripts/build-wasm.mjs assembly/index.ts src/wasm/library.generated.ts [--tiles]     (in the package's folder)
 */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import asc from 'assemblyscript/asc';

const { values, positionals } = parseArgs({ options: { tiles: { type: 'boolean' } }, allowPositionals: true });
const [entry = '', output = ''] = positionals;
if (!entry || !output) throw new Error('usage: build-wasm.mjs ENTRY OUTPUT [--tiles]');

/** @type {{ name: string }} */
const { name } = JSON.parse(readFileSync('package.json', 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'ii-wasm-'));

/** @param {'plain' | 'relaxed' | 'tall' | 'wide'} build */
async function compile(build) {
  const file = join(folder, `${build}.wasm`);
  const features = ['simd', 'threads', 'bulk-memory', ...(build === 'plain' ? [] : ['relaxed-simd'])];
  const { error, stderr } = await asc.main([
    entry,
    ...['--outFile', file, '-O3', '--converge', '--noAssert', '--runtime', 'stub'],
    ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
    ...['--use', `TILE_ROWS=${build === 'tall' || build === 'wide' ? 6 : 5}`],
    ...['--use', `TILE_PANELS=${build === 'wide' ? 2 : 1}`],
    ...features.flatMap((feature) => ['--enable', feature]),
  ]);
  if (error) throw new Error(`${build} build of ${entry} failed\n${stderr}`);
  const wasm = readFileSync(file);
  // Libraries share one memory: static data of two of them would overlap.
  const sections = sectionIds(wasm);
  if (sections.includes(11)) throw new Error(`${entry} has static data; pass tables as arguments instead`);
  return wasm;
}

/**
 * The ids of a module's sections, in order.
 * @param {Uint8Array} wasm
 */
function sectionIds(wasm) {
  const ids = [];
  for (let at = 8; at < wasm.length;) {
    ids.push(wasm[at++] ?? 0);
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = wasm[at++] ?? 0;
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    at += size;
  }
  return ids;
}

try {
  /** @type {readonly ('plain' | 'relaxed' | 'tall' | 'wide')[]} */
  const builds = values.tiles ? ['plain', 'relaxed', 'tall', 'wide'] : ['plain', 'relaxed'];
  const lines = [`  name: ${JSON.stringify(name)},`];
  const sizes = [];
  for (const build of builds) {
    const wasm = await compile(build);
    lines.push(`  ${build}: '${wasm.toString('base64')}',`);
    sizes.push(`${wasm.length} bytes ${build}`);
  }
  const text = `// Compiled from ${entry}.\nexport const library = {\n${lines.join('\n')}\n} as const;\n`;
  const temporary = join(output, '..', `.${basename(output)}.${process.pid}`);
  writeFileSync(temporary, text);
  renameSync(temporary, output);
  console.log(`${name}: ${sizes.join(', ')}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

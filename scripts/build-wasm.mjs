/**
 * Compiles a package's AssemblyScript kernels twice, with and without relaxed SIMD, into one TypeScript module that
 * exports a `WasmLibrary`.
 *
 *     node scripts/build-wasm.mjs assembly/index.ts src/wasm/library.generated.ts     (in the package's folder)
 */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import asc from 'assemblyscript/asc';

const [entry = '', output = ''] = process.argv.slice(2);
if (!entry || !output) throw new Error('usage: build-wasm.mjs ENTRY OUTPUT');

/** @type {{ name: string }} */
const { name } = JSON.parse(readFileSync('package.json', 'utf8'));
const folder = mkdtempSync(join(tmpdir(), 'ii-wasm-'));

/** @param {'plain' | 'relaxed'} build */
async function compile(build) {
  const file = join(folder, `${build}.wasm`);
  const features = ['simd', 'threads', 'bulk-memory', ...(build === 'relaxed' ? ['relaxed-simd'] : [])];
  const { error, stderr } = await asc.main([
    entry,
    ...['--outFile', file, '-O3', '--converge', '--noAssert', '--runtime', 'stub'],
    ...['--importMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
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
  const [plain, relaxed] = [await compile('plain'), await compile('relaxed')];
  const text = `// Compiled from ${entry}.
export const library = {
  name: ${JSON.stringify(name)},
  plain: '${plain.toString('base64')}',
  relaxed: '${relaxed.toString('base64')}',
} as const;
`;
  const temporary = join(output, '..', `.${basename(output)}.${process.pid}`);
  writeFileSync(temporary, text);
  renameSync(temporary, output);
  console.log(`${name}: ${plain.length} bytes plain, ${relaxed.length} bytes relaxed`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

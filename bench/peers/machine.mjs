/** What a measurement was made on. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { arch, availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

/** Extensions that decide how fast a runtime can be. */
const EXTENSIONS = ['sse4_1', 'avx', 'avx2', 'fma', 'avx512f', 'avx512_vnni', 'amx_tile', 'asimd', 'sve'];

export function describeMachine() {
  const cpu = cpus()[0]?.model.trim() || 'unknown';
  return {
    ...{ cpu, threads: availableParallelism(), memoryBytes: totalmem() },
    ...{ extensions: extensions(), system: `${platform()} ${release()} ${arch()}` },
  };
}

/** Those of Linux only; elsewhere an empty list. */
function extensions() {
  if (!existsSync('/proc/cpuinfo')) return [];
  const [, list = ''] = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8')) ?? [];
  const present = new Set(list.trim().split(/\s+/));
  return EXTENSIONS.filter((name) => present.has(name));
}

/** Version of a Node binary and of its engine. @param {string} path */
export function describeNode(path) {
  const script = 'process.stdout.write(JSON.stringify([process.version, process.versions.v8]))';
  const [version, v8] = JSON.parse(execFileSync(path, ['-e', script], { encoding: 'utf8' }));
  return { version, v8 };
}

/** Processes that wanted to run in the last minute: near 0 on an idle machine before a measurement. */
export function loadAverage() {
  return Number((loadavg()[0] ?? 0).toFixed(2));
}

/** `AMD EPYC 7B13 64-Core Processor` → `amd-epyc-7b13`. @param {string} cpu */
export function slug(cpu) {
  return cpu
    .toLowerCase()
    .replace(/\(r\)|\(tm\)|\bcpu\b|\bprocessor\b|\b\d+-core\b|@.*$/g, ' ')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
}

/** Names the files of a measurement. @param {{ cpu: string }} machine @param {{ version: string }} node */
export function fileStem(machine, node) {
  return `cpu-${slug(machine.cpu)}-node${node.version.split('.')[0].slice(1)}`;
}

/** Names the files of a GPU's measurement. @param {string} selection of a device: `webgpu: NAME[, DRIVER] (TRAITS)` */
export function gpuStem(selection) {
  const [, name = 'unknown'] = /^webgpu: ([^,]*).* \([^)]*\)$/.exec(selection) ?? [];
  return `gpu-${slug(name)}`;
}

/** The commit of a checkout, with a + when files differ from it; null outside of git. @param {string} root */
export function describeCommit(root) {
  const git = (...args) =>
    execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() !== '';
    return `${git('rev-parse', '--short', 'HEAD').trim()}${changed ? '+' : ''}`;
  } catch {
    return null;
  }
}

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The JSON documents, one or a line each, that a script of the repository prints.
 *
 * @param {string} node the binary. @param {readonly string[]} args the script and its arguments.
 */
export async function runScript(node, [script = '', ...args]) {
  process.stderr.write(`${[script, ...args].join(' ')} …\n`);
  const { stdout } = await promisify(execFile)(node, [join(root, script), ...args], { maxBuffer: 2 ** 24 });
  const lines = stdout.trim().split('\n');
  return lines.length > 1 && lines[1]?.startsWith('{') ? lines.map((line) => JSON.parse(line)) : [JSON.parse(stdout)];
}

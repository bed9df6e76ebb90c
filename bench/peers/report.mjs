/** The two files of a measurement. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as prettier from 'prettier';

const root = fileURLToPath(new URL('../..', import.meta.url));

/**
 * Writes `NAME.json` and `NAME.md` into a folder, formatted as the repository's other files, and gives their common path.
 *
 * @param {string} folder @param {string} name @param {object} report @param {string} page
 */
export async function writeReport(folder, name, report, page) {
  mkdirSync(folder, { recursive: true });
  const stem = join(folder, name);
  const config = await prettier.resolveConfig(join(root, 'package.json'));
  for (const [filepath, text] of [
    [`${stem}.json`, JSON.stringify(report)],
    [`${stem}.md`, page],
  ]) {
    writeFileSync(filepath, await prettier.format(text, { ...config, filepath }));
  }
  return stem;
}

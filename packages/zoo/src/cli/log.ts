import { basename, dirname } from 'node:path';
import type { Command } from 'commander';
import { checkWritable, writeFileAtomic } from '../images/index.js';
import { readTextFile } from '../json-file.js';
import { parseLog, TRAINING_FILES } from '../training/index.js';
import { drawLogs, type NamedLog } from './log-chart.js';
import { UsageError } from './output.js';
import type { Session } from './session.js';

/** `ii log`: what training logs say. */
export function addLog(program: Command, session: Session): void {
  program
    .command('log')
    .description('training logs in the format of mmcv (.log.json)')
    .command('plot')
    .description('draw loss, learning rate and mIoU of one or more logs')
    .argument('<log...>', '.log.json files of ii train or of mmsegmentation')
    .option('-o, --output <file>', 'the picture (SVG)', 'curves.svg')
    .action((paths: string[], { output }: { readonly output: string }) => plot(paths, output, session));
}

async function plot(paths: readonly string[], target: string, { output }: Session): Promise<void> {
  if (!/\.svg$/i.test(target)) throw new UsageError(`--output ${target}: expected a file name that ends in .svg`);
  await checkWritable(target);
  const logs: NamedLog[] = [];
  for (const path of paths) logs.push({ name: nameOf(path), log: parseLog(await readTextFile(path, 'the log'), path) });
  await writeFileAtomic(target, new TextEncoder().encode(await drawLogs(logs)));
  output.document({
    file: target,
    logs: logs.map(({ name, log }, i) => ({
      ...{ log: paths[i], name, lines: log.train.length, evaluations: log.validation.length },
      lastLoss: log.train.at(-1)?.loss ?? null,
      bestMIoU: Math.max(...log.validation.map(({ mIoU }) => mIoU ?? 0), 0) || null,
    })),
  });
  output.text(`drew ${logs.map(({ name }) => name).join(', ')} into ${target}`);
}

/** Our logs all have one name; their folders tell them apart. */
const nameOf = (path: string): string =>
  basename(path) === TRAINING_FILES.log
    ? basename(dirname(path)) || 'train'
    : basename(path).replace(/\.log\.json$/, '');

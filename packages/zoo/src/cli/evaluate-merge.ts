import type { Command } from 'commander';
import { evaluationReport, mergeEvaluations } from '@ii/ade20k';
import { IIError } from '@ii/tensor';
import { readStateFile } from './evaluate-state-file.js';
import { showFigures } from './evaluate-text.js';
import type { Session } from './session.js';

/** `ii evaluate merge`: adds the shards of an evaluation. */
export function addEvaluateMerge(evaluate: Command, session: Session): void {
  evaluate
    .command('merge')
    .description('add the files that the shards of an evaluation wrote: the figures of a run without shards')
    .argument('<shard...>', 'the files of all shards, in any order')
    .action((files: string[]) => merge(files, session));
}

async function merge(files: readonly string[], { output, signal }: Session): Promise<void> {
  const shards = [];
  for (const source of files) {
    signal.throwIfAborted();
    const state = await readStateFile(source);
    if (!state) throw new IIError('ERR_FILE', `cannot read ${source}: there is no such file`);
    shards.push({ source, state });
  }
  const merged = mergeEvaluations(shards);
  const report = evaluationReport(merged);
  const { run, entries, skipped, seconds, images } = merged;
  output.document({
    ...report,
    ...{ protocol: run['protocol'] ?? null, mode: run['mode'] ?? null, model: run['model'] ?? null },
    ...{ entries, shards: files.length, skipped, secondsPerImage: images.length > 0 ? seconds / images.length : null },
  });
  output.text(showFigures(report, output));
}

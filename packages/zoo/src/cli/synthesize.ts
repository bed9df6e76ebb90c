import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import ndarray, { type NdArray } from 'ndarray';
import { SCENE_CLASS_IDS, SCENE_CLASSES, syntheticNames, syntheticPair, type Ade20kSplit } from '@ii/ade20k';
import { encodeJpeg, makeFolder, WriteError, writeFileAtomic, writeLabelPng } from '../images/index.js';
import type { InputSize } from '../models/model.js';
import { parseSeed, parseSize } from './options.js';
import type { Session } from './session.js';
import { grouped, showDuration, showSize } from './table.js';

interface SynthesizeFlags {
  readonly out: string;
  readonly count: number;
  readonly validation: number;
  readonly size: InputSize;
  readonly seed: number;
  readonly classes: 'ade20k' | 'scenes';
}

const MAX_COUNT = 10_000_000;

/** `ii synthesize`: a data set of drawn scenes. */
export function addSynthesize(program: Command, session: Session): void {
  program
    .command('synthesize')
    .description(
      'draw a data set of street and landscape scenes with their labels, in the layout of ADEChallengeData2016',
    )
    .requiredOption('--out <dir>', 'folder to write images/ and annotations/ into; made if it is not there')
    .option('--count <n>', 'scenes for training', parseCount, 1000)
    .option('--validation <n>', 'scenes for validation', parseCount, 100)
    .option('--size <HxW>', 'of each scene', parseSize, [160, 160] satisfies InputSize)
    .option('--seed <n>', 'the same seed draws the same scenes', parseSeed, 0)
    .addOption(
      new Option('--classes <which>', 'annotate by the 150 classes, or by the 25 that scenes have, counted from 1')
        .choices(['ade20k', 'scenes'])
        .default('ade20k'),
    )
    .action((flags: SynthesizeFlags) => synthesize(flags, session));
}

function parseCount(value: string): number {
  const count = /^\d{1,8}$/.test(value) ? Number(value) : Number.NaN;
  if (!(count <= MAX_COUNT)) throw new InvalidArgumentError(`Expected a whole number from 0 to ${MAX_COUNT}.`);
  return count;
}

async function synthesize(flags: SynthesizeFlags, { output, progress, signal }: Session): Promise<void> {
  const { out, count, validation, size, seed, classes } = flags;
  const splits: readonly (readonly [Ade20kSplit, number])[] = [
    ['training', count],
    ['validation', validation],
  ];
  for (const [split] of splits) await prepare(out, split);
  const started = performance.now();
  let done = 0;
  for (const [split, length] of splits) {
    for (const name of syntheticNames(split, length)) {
      signal.throwIfAborted();
      const { image, annotation } = syntheticPair(name, { size, seed });
      await writeFileAtomic(join(out, 'images', split, `${name}.jpg`), await encodeJpeg(image));
      const values = classes === 'ade20k' ? annotation : amongSceneClasses(annotation);
      await writeLabelPng(join(out, 'annotations', split, `${name}.png`), values);
      progress.show('drawing scenes', ++done, count + validation);
    }
  }
  progress.clear();
  const seconds = (performance.now() - started) / 1000;
  output.document({ out, training: count, validation, size, seed, classes, classNames: SCENE_CLASSES, seconds });
  output.text(
    `${out}: ${grouped(count)} scenes for training and ${grouped(validation)} for validation, ${showSize(size)}, ` +
      `${SCENE_CLASSES.length} of the 150 classes, in ${showDuration(seconds * 1000)}`,
  );
}

/** A scene's annotation with k for the k-th of the classes of scenes: what a model of these classes alone is trained on. */
function amongSceneClasses({ data, shape }: NdArray<Uint8Array>): NdArray<Uint8Array> {
  const places = new Uint8Array(256);
  SCENE_CLASSES.forEach((name, i) => (places[SCENE_CLASS_IDS[name] + 1] = i + 1));
  return ndarray(
    data.map((value) => places[value]!),
    shape,
  );
}

/** Makes the folders of a split. Files of another set beside the new ones would be trained on unnoticed. */
async function prepare(out: string, split: Ade20kSplit): Promise<void> {
  for (const folder of [join(out, 'images', split), join(out, 'annotations', split)]) {
    await makeFolder(folder);
    let present: string[];
    try {
      present = await readdir(folder);
    } catch (cause) {
      throw new WriteError(`cannot write into ${folder}: ${cause instanceof Error ? cause.message : String(cause)}`, {
        cause,
      });
    }
    if (present.length > 0) {
      throw new WriteError(`${folder} is not empty (${present.length} files); give --out a new folder`);
    }
  }
}

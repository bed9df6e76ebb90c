import { Option, type Command } from 'commander';
import { encodeSafetensors, storedTensor } from '@ii/tensor';
import { legend, type LabelMap } from '@ii/tensor/image';
import type { Segmentation, Segmentor } from '@ii/upernet';
import { classTable, type ClassTable } from '../class-names.js';
import { renderOverlayPicture, writeFileAtomic, writeLabelPng } from '../images/index.js';
import type { TestScale } from '../models/model.js';
import { chooseModel, type ChosenModel, type ModelFlags } from './choose-model.js';
import { addDeviceFlags, type DeviceFlags } from './device-flags.js';
import { loadModel } from './load-model.js';
import { parseOpacity, parseScale, parseSeed } from './options.js';
import { UsageError } from './output.js';
import { planOutputs, type ImageOutputs, type OutputFlags } from './output-paths.js';
import { readPhotos, type Photo } from './photos.js';
import { showSegmentation, type ImageReport } from './segment-report.js';
import type { Session } from './session.js';
import { stoppable } from './stoppable.js';

interface SegmentFlags extends ModelFlags, OutputFlags, DeviceFlags {
  readonly opacity: number;
  readonly scale?: TestScale;
}

/** Scale of the official protocol where neither the flags nor the model say another. */
const DEFAULT_SCALE: TestScale = [2048, 512];

/** Predictions have no unlabelled pixels: an id that none can have. */
const NO_IGNORED_ID = 65535;

/** `ii segment`: labels photos. */
export function addSegment(program: Command, session: Session): void {
  addDeviceFlags(
    program
      .command('segment')
      .description('label every pixel of photos; without --model and --checkpoint, by the demonstration model')
      .argument('<image...>', 'JPEG, PNG or WebP files')
      .option('--model <name>', 'a model of the zoo (ii list)')
      .option('--checkpoint <file>', 'its weights: .pth or .safetensors')
      .option('--config <file>', "the checkpoint's configuration (JSON), where its shapes do not tell it")
      .option(
        '-o, --output <file>',
        'picture of photo, labels and legend; a folder for several images (default: <image>.overlay.png)',
      )
      .option('--labels <file>', 'greyscale PNG of the class ids')
      .option('--save-logits <file>', "safetensors file with the decode head's output, f32 logits [1, h, w, classes]")
      .addOption(
        new Option('--opacity <share>', 'of the class colours over the photo').argParser(parseOpacity).default(0.5),
      )
      .addOption(
        new Option('--scale <LxS>', "limits of the photo's long and short side (default: the model's)").argParser(
          parseScale,
        ),
      ),
  )
    .addOption(new Option('--seed <n>', 'run untrained weights drawn from this seed').argParser(parseSeed))
    .action((images: string[], flags: SegmentFlags) => segment(images, flags, session));
}

async function segment(images: readonly string[], flags: SegmentFlags, session: Session): Promise<void> {
  const { output, progress, signal } = session;
  const started = performance.now();
  const chosen = await chooseModel(flags, signal);
  const openMs = performance.now() - started;
  const classes = classTable(chosen.config.numClasses ?? 150, chosen.checkpoint?.meta);
  let plan: ImageOutputs[];
  let photos: Photo[];
  let model: Segmentor;
  let loadMs: number;
  try {
    if (flags.labels !== undefined && classes.names.length > 256) {
      throw new UsageError(`--labels holds ids below 256, and this model has ${classes.names.length} classes`);
    }
    plan = await planOutputs(images, flags);
    photos = await readPhotos(images, signal, (done) => progress.show('reading photos', done, images.length));
    progress.clear();
    if (chosen.warning) output.warn(chosen.warning);
    const loading = performance.now();
    model = await loadModel(chosen, flags, session);
    loadMs = openMs + performance.now() - loading;
  } finally {
    progress.clear();
    await chosen.checkpoint?.close();
  }
  const run: Run = { chosen, classes, model, flags, loadMs };
  try {
    const reports: ImageReport[] = [];
    for (const [i, photo] of photos.entries()) {
      progress.show('segmenting', i, photos.length);
      const report = await segmentPhoto(photo, plan[i]!, run, signal);
      progress.clear();
      reports.push(report);
      output.text(showSegmentation(report, output));
    }
    output.document(reports);
  } finally {
    run.model.dispose();
  }
}

interface Run {
  readonly chosen: ChosenModel;
  readonly classes: ClassTable;
  readonly model: Segmentor;
  readonly flags: SegmentFlags;
  readonly loadMs: number;
}

async function segmentPhoto(photo: Photo, outputs: ImageOutputs, run: Run, signal: AbortSignal): Promise<ImageReport> {
  const { chosen, classes, model, flags, loadMs } = run;
  const image = await photo.load();
  const started = performance.now();
  const result = await stoppable(
    model.segment(image, {
      scale: flags.scale ?? chosen.testScale ?? DEFAULT_SCALE,
      logits: outputs.logits !== null,
      signal,
    }),
    signal,
  );
  const inferenceMs = performance.now() - started;
  const shares = legend(result.labels, classes.names, classes.palette, { ignoreIndex: NO_IGNORED_ID });
  const picture = await renderOverlayPicture({
    image,
    labels: result.labels,
    ...classes,
    opacity: flags.opacity,
    ignoreIndex: NO_IGNORED_ID,
    caption: `${chosen.title}, ${result.inputSize.join(' × ')} on ${model.device.name}`,
    ...(chosen.warning !== null && { warning: chosen.warning }),
  });
  await writeOutputs(outputs, picture, result);
  return {
    image: photo.path,
    size: photo.size,
    inputSize: result.inputSize,
    model: chosen.name,
    title: chosen.title,
    weights: chosen.weights,
    warning: chosen.warning,
    device: model.device.name,
    selection: model.device.selection,
    classes: shares.entries.map(({ id, name, share, pixels }) => ({ id, name, share, pixels })),
    outputs,
    timings: { loadMs: tenths(loadMs), decodeMs: tenths(photo.decodeMs), inferenceMs: tenths(inferenceMs) },
  };
}

const tenths = (value: number): number => Math.round(value * 10) / 10;

async function writeOutputs(
  outputs: ImageOutputs,
  picture: Uint8Array,
  { labels, logits }: Segmentation,
): Promise<void> {
  await writeFileAtomic(outputs.overlay, picture);
  if (outputs.labels !== null) await writeLabelPng(outputs.labels, labels as LabelMap<Uint8Array>);
  if (outputs.logits !== null && logits) {
    const tensors = new Map([['logits', storedTensor(logits.data, logits.shape)]]);
    await writeFileAtomic(outputs.logits, await encodeSafetensors(tensors));
  }
}

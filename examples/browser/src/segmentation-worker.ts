/** The worker: holds the model and its device, so that the page never waits. It answers one request after another. */
import { blobSource, createDevice, DeviceLostError, type Device } from '@ii/tensor';
import { decodeBlob, fromPlatform, type RgbInput } from '@ii/tensor/image';
import { createUperNet, type Segmentation, type Segmentor, type UperNetConfig } from '@ii/upernet';
import { classTable, inferConfig, openCheckpoint } from '@ii/zoo';
import { bundledModel, type BundledModel } from './bundled-model.js';
import type { Answer, DeviceChoice, LoadedModel, ModelChoice, Request, SegmentedPicture } from './protocol.js';

const scope = globalThis as unknown as {
  onmessage: ((event: MessageEvent<Request>) => void) | null;
  postMessage(message: Answer, transfer?: Transferable[]): void;
};

let model: Segmentor | null = null;
let testScale: readonly [number, number] = [2048, 512];
/** Input sizes that have run on this device. */
let seen = new Set<string>();

scope.onmessage = async ({ data }) => {
  try {
    if (data.kind === 'load') scope.postMessage(await load(data.model, data.device));
    else {
      const answer = await segment(data.picture);
      scope.postMessage(answer, [answer.labels.buffer]);
    }
  } catch (error) {
    scope.postMessage({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
  }
};

interface Chosen extends Omit<BundledModel, 'note'> {
  readonly note: string | null;
  readonly classes: { readonly names: readonly string[]; readonly palette: LoadedModel['palette'] };
}

async function load(choice: ModelChoice, wanted: DeviceChoice): Promise<LoadedModel> {
  const started = performance.now();
  const chosen = choice ? await fromFile(choice) : await bundled();
  model?.dispose();
  model = null;
  const { config, weights } = chosen;
  const onProgress = ({ loaded, total }: { loaded: number; total: number }): void =>
    scope.postMessage({ kind: 'progress', loaded, total });
  model = await createUperNet(config, { ...weights, device: wanted, onProgress });
  testScale = chosen.testScale;
  seen = new Set();
  return {
    kind: 'loaded',
    title: chosen.title,
    params: model.network.parameterCount(),
    testScale,
    note: chosen.note,
    ...chosen.classes,
    device: model.device.name,
    selection: model.device.selection,
    milliseconds: performance.now() - started,
  };
}

const classesOf = ({ numClasses = 150 }: UperNetConfig): number => numClasses;

async function bundled(): Promise<Chosen> {
  const own = await bundledModel();
  return { ...own, classes: classTable(classesOf(own.config)) };
}

/** A checkpoint of the user's: its configuration is told from its shapes and what it says about itself. */
async function fromFile(file: File): Promise<Chosen> {
  const checkpoint = await openCheckpoint(blobSource(file));
  const inferred = inferConfig(checkpoint.tensors, checkpoint);
  return {
    title: inferred.model ? `${inferred.model.title}` : 'UPerNet InternImage',
    config: inferred.config,
    testScale: inferred.testScale ?? [2048, 512],
    note: null,
    weights: { weights: checkpoint.tensors },
    classes: classTable(classesOf(inferred.config), checkpoint.meta),
  };
}

async function segment(picture: Blob | ImageBitmap): Promise<SegmentedPicture> {
  if (!model) throw new Error('no model is loaded');
  const image = picture instanceof Blob ? await decodeBlob(picture) : fromPlatform(picture);
  if (!(picture instanceof Blob)) picture.close();
  const started = performance.now();
  const { result, recovered } = await surviving(model, image);
  const { labels, inputSize } = result;
  const size = labels.shape.join();
  if (recovered) seen.clear();
  const first = !seen.has(size);
  seen.add(size);
  const [height, width] = labels.shape as [number, number];
  const milliseconds = performance.now() - started;
  const data = labels.data.slice();
  const { name: device, selection } = model.device;
  return {
    ...{ kind: 'segmented', labels: data, width, height, inputSize, milliseconds, first },
    recovered: recovered ? { device, selection } : null,
  };
}

/** Segments; when the GPU is lost on the way, once more on a new device, or on the CPU if there is none. */
async function surviving(
  on: Segmentor,
  image: RgbInput,
): Promise<{ readonly result: Segmentation; readonly recovered: boolean }> {
  const options = { scale: testScale };
  try {
    return { result: await on.segment(image, options), recovered: false };
  } catch (error) {
    if (!(error instanceof DeviceLostError)) throw error;
    await on.recover().catch(async () => on.recover(await cpu()));
    return { result: await on.segment(image, options), recovered: true };
  }
}

const cpu = (): Promise<Device> => createDevice('wasm');

import type { Answer, DeviceChoice, LoadedModel, ModelChoice, Request, SegmentedPicture } from './protocol.js';

/** What was asked for was cancelled. */
export class CancelledError extends Error {
  constructor() {
    super('cancelled');
  }
}

type Result = LoadedModel | SegmentedPicture;

/** The page's end of the worker. One request at a time. */
export class SegmentationClient {
  #worker: Worker | null = null;
  #pending: { resolve(result: Result): void; reject(error: Error): void } | null = null;
  #choice: { readonly model: ModelChoice; readonly device: DeviceChoice } | null = null;
  #loaded = false;

  /**
   * @param onProgress told while weights are loaded.
   * @param onLoaded told of every model that is ready, also of one that is loaded again after a cancellation.
   */
  constructor(
    private readonly onProgress: (loaded: number, total: number) => void,
    private readonly onLoaded: (model: LoadedModel) => void,
  ) {}

  get busy(): boolean {
    return this.#pending !== null;
  }

  async load(model: ModelChoice, device: DeviceChoice): Promise<void> {
    this.#choice = { model, device };
    this.#loaded = false;
    await this.#reload();
  }

  /** @param picture a bitmap is handed over. */
  async segment(picture: Blob | ImageBitmap): Promise<SegmentedPicture> {
    if (!this.#loaded) await this.#reload();
    return (await this.#ask({ kind: 'segment', picture })) as SegmentedPicture;
  }

  /**
   * Stops what runs, at once: kernels cannot be interrupted, so the worker goes, and the next request starts another one
   * with the same model.
   */
  cancel(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#loaded = false;
    this.#pending?.reject(new CancelledError());
    this.#pending = null;
  }

  async #reload(): Promise<void> {
    if (!this.#choice) throw new Error('no model was chosen');
    const model = (await this.#ask({ kind: 'load', ...this.#choice })) as LoadedModel;
    this.#loaded = true;
    this.onLoaded(model);
  }

  #ask(request: Request): Promise<Result> {
    if (this.#pending) this.cancel();
    const worker = (this.#worker ??= this.#start());
    const transfer = 'picture' in request && request.picture instanceof ImageBitmap ? [request.picture] : [];
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
      worker.postMessage(request, transfer);
    });
  }

  #start(): Worker {
    const worker = new Worker(new URL('./segmentation-worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<Answer>) => {
      if (data.kind === 'progress') return this.onProgress(data.loaded, data.total);
      const pending = this.#pending;
      this.#pending = null;
      if (data.kind === 'failed') pending?.reject(new Error(data.message));
      else pending?.resolve(data);
    };
    worker.onerror = (event) => {
      const pending = this.#pending;
      this.#pending = null;
      this.cancel();
      pending?.reject(new Error(event.message || 'the worker could not be started'));
    };
    return worker;
  }
}

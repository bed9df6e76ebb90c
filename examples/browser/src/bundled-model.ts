/** The model that the page comes with: the one place to change when it is another. */
import type { StateDict } from '@ii/tensor';
import type { UperNetConfig } from '@ii/upernet';
import { demoModel, openDemoCheckpoint } from '@ii/zoo';

export interface BundledModel {
  readonly title: string;
  readonly config: UperNetConfig;
  /** Limits of the long and the short side of a photo, in pixels. */
  readonly testScale: readonly [number, number];
  /** What a person must know about it. */
  readonly note: string;
  readonly weights: { readonly weights: StateDict };
}

/** Its weights come from where the page comes from; `signal` stops that. */
export async function bundledModel(signal?: AbortSignal): Promise<BundledModel> {
  const { tensors } = await openDemoCheckpoint({ signal });
  return {
    title: demoModel.title,
    config: demoModel.config,
    testScale: demoModel.testScale,
    note: `This is ${demoModel.note ?? 'a demonstration'}. Open the weights of a trained model to see what it can do.`,
    weights: { weights: tensors },
  };
}

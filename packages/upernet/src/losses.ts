import { ShapeError, add, div, mul, resizeCrossEntropy, scope, type Tensor } from '@ii/tensor';
import type { UperNet } from './upernet.js';

/** What a head's predictions are worth; scalars. */
export interface HeadLoss {
  /** Cross entropy, weighted as in the total: `loss_ce` of mmsegmentation's logs. */
  readonly loss: Tensor;
  /** Share of the valid pixels that are right, from 0 to 1; NaN when there is none. */
  readonly accuracy: Tensor;
}

/** The training losses of a batch. Only `total` is meant to be differentiated. */
export interface Losses {
  /** Sum of the heads' losses, `[]`. */
  readonly total: Tensor;
  readonly decode: HeadLoss;
  /** Absent where the model has no auxiliary head. */
  readonly auxiliary?: HeadLoss;
}

/**
 * The losses of mmsegmentation's `EncoderDecoder`: each head's logits resized to the labels' size, cross entropy over all
 * pixels (ignored ones add 0 but count in the mean), the auxiliary one weighted by its `lossWeight`.
 *
 * @param images normalised, `[N, H, W, 3]`. @param labels `[N, H, W]`, u8 or i32; 255 is ignored.
 * @throws ShapeError when the labels are not of the images' size.
 */
export function losses(network: UperNet, images: Tensor, labels: Tensor): Losses {
  const [n, height, width] = images.shape;
  if (labels.shape.join() !== [n, height, width].join()) {
    throw new ShapeError(
      `losses: labels [${labels.shape.join(', ')}] do not fit images [${images.shape.join(', ')}]: expected [N, H, W] of the same sizes`,
    );
  }
  return scope(() => {
    const maps = network.backbone.forward(images);
    const decode = headLoss(network.decodeHead.forward(maps), labels, 1);
    const { auxiliaryHead, config } = network;
    if (!auxiliaryHead || !config.auxiliaryHead) return { total: decode.loss, decode };
    const auxiliary = headLoss(auxiliaryHead.forward(maps), labels, config.auxiliaryHead.lossWeight);
    return { total: add(decode.loss, auxiliary.loss), decode, auxiliary };
  });
}

function headLoss(logits: Tensor, labels: Tensor, weight: number): HeadLoss {
  return scope(() => {
    const { loss, correct, valid } = resizeCrossEntropy(logits, labels);
    return { loss: weight === 1 ? loss : mul(loss, weight), accuracy: div(correct, valid) };
  });
}

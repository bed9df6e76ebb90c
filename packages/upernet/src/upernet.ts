import { InternImage } from '@ii/backbone';
import { Module, scope, type Tensor } from '@ii/tensor';
import { losses, type Losses } from './losses.js';
import { resolveUperNetConfig, type ResolvedUperNetConfig, type UperNetConfig } from './config.js';
import { FCNHead } from './fcn-head.js';
import { UPerHead } from './uper-head.js';

/**
 * UPerNet on InternImage as a module tree: keys `backbone.*`, `decode_head.*`, `auxiliary_head.*`, as the official
 * checkpoints have them. Building it allocates nothing; `createUperNet` also gives it weights and a device.
 */
export class UperNet extends Module {
  readonly config: ResolvedUperNetConfig;
  readonly backbone: InternImage;
  readonly decodeHead: UPerHead;
  readonly auxiliaryHead: FCNHead | undefined;

  /** @throws IIError when the configuration does not fit together. */
  constructor(config: UperNetConfig) {
    super();
    this.config = resolveUperNetConfig(config);
    this.backbone = this.child('backbone', new InternImage(config.backbone));
    const { outChannels } = this.backbone;
    this.decodeHead = this.child('decode_head', new UPerHead(outChannels, this.config));
    const { auxiliaryHead, numClasses } = this.config;
    if (auxiliaryHead) {
      this.auxiliaryHead = this.child('auxiliary_head', new FCNHead(outChannels, auxiliaryHead, numClasses));
    }
  }

  /**
   * @param x normalised images `[N, H, W, 3]`.
   * @returns the decode head's logits `[N, H / 4, W / 4, classes]` (sizes round up).
   */
  forward(x: Tensor): Tensor {
    return scope(() => this.decodeHead.forward(this.backbone.forward(x)));
  }

  /**
   * The training losses, by mmsegmentation's rules.
   *
   * @param images normalised, `[N, H, W, 3]`. @param labels `[N, H, W]`, u8 or i32; 255 is ignored.
   * @throws ShapeError when the labels are not of the images' size.
   */
  losses(images: Tensor, labels: Tensor): Losses {
    return losses(this, images, labels);
  }
}

/** The whole of UperNet + InternImage-T at 512×512 against PyTorch in float64. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { variants } from '@ii/backbone';
import { createDevice, resizeArgmax, resizeBilinear, scope } from '@ii/tensor';
import { UperNet } from '../src/index.js';
import { fill, peerWeights } from './peer-model.js';

interface Expected {
  readonly samples: readonly (readonly [channel: number, row: number, column: number, value: number])[];
  readonly logit_std: number;
  readonly argmax_sha256: string;
}

const expected = JSON.parse(readFileSync(new URL('fixtures/peer/expected.json', import.meta.url), 'utf8')) as Expected;

test('T at 512×512: logits within 1e-4 of their deviation, the same argmax', { timeout: 300_000 }, async () => {
  using device = await createDevice('wasm');
  const network = new UperNet({ backbone: variants.T });
  await network.load(device, peerWeights(network));
  const planes = fill('image', [1, 3, 512, 512], 999);
  const pixels = Float32Array.from(planes, (_, i) => planes[(i % 3) * 512 * 512 + Math.floor(i / 3)]!);
  const { logits, labels } = scope(() => {
    const output = network.forward(device.tensor(pixels, [1, 512, 512, 3]));
    return { logits: resizeBilinear(output, [512, 512]), labels: resizeArgmax(output, [512, 512]) };
  });
  const data = await logits.readFloat32();
  const worst = Math.max(
    ...expected.samples.map(([c, y, x, value]) => Math.abs(data[(y * 512 + x) * 150 + c]! - value)),
  );
  expect(worst / expected.logit_std).toBeLessThan(1e-4);
  const map = Uint8Array.from(await labels.read());
  expect(createHash('sha256').update(map).digest('hex')).toBe(expected.argmax_sha256);
});

// The four maps of an InternImage backbone: node examples/node/backbone-features.mjs [VARIANT]
import { InternImage, variants } from '@ii/backbone';
import { createDevice } from '@ii/tensor';

const variant = process.argv[2] ?? 'T';
const device = await createDevice();
console.log(device.selection);

const backbone = new InternImage(variants[variant]);
backbone.initialize(device, 0);
console.log(`InternImage-${variant}: ${(backbone.parameterCount() / 1e6).toFixed(1)} M parameters`);

const image = device.tensor(Float32Array.from({ length: 224 * 224 * 3 }, Math.random), [1, 224, 224, 3]);
const started = performance.now();
const maps = backbone.forward(image);
await device.finish();
console.log(`${(performance.now() - started).toFixed(0)} ms`);
for (const map of maps) console.log(`[${map.shape.join(', ')}]`);
device.dispose();

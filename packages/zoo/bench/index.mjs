/** Runs every bench of the package, one after the other, on the built package: `npm run bench`. */
await import('./loading.mjs');
await import('./decoding.mjs');
await import('./loader.mjs');

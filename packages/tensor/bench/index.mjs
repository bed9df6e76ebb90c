/** Runs every bench of the package, one after the other, on the built package: `npm run bench`. */
await import('./gemm.mjs');
await import('./conv.mjs');
await import('./winograd.mjs');
await import('./gradients.mjs');

/** Runs every bench of the package, one after the other, on the built package: `npm run bench`. */
await import('./loader.mjs');

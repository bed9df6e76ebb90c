/** Rows of the matrix product's tile, 4 or 6; set on the compiler's command line (scripts/build-wasm.mjs). */
declare const TILE_ROWS: i32;

/** Panels of 8 columns that the product takes at once where it can, 1 or 2. */
declare const TILE_PANELS: i32;

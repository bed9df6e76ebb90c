/** Rows of the matrix product's tile, 4 or 6; set on the compiler's command line (scripts/build-wasm.mjs). */
declare const TILE_ROWS: i32;

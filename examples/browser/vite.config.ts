import { defineConfig } from 'vite';
import { isolationHeaders } from '../../scripts/chromium.js';

/** With `II_ISOLATED=0` the page is served as most sites are: without shared memory, and so on one CPU thread. */
const headers = process.env['II_ISOLATED'] === '0' ? {} : isolationHeaders;

export default defineConfig({
  base: './',
  server: { headers },
  preview: { headers },
  worker: { format: 'es' },
  build: { target: 'es2022', chunkSizeWarningLimit: 1000 },
});

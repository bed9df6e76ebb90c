/** Says in every report whether the tests in a browser ran. */
import { test } from 'vitest';
import { chromium, withoutChromium } from './chromium.js';

test('a Chromium for the browser tests is here', (context) => {
  if (chromium) return;
  const required = (process.env['II_REQUIRE_DEVICES'] ?? '').split(',');
  if (required.includes('chromium')) throw new Error(withoutChromium);
  context.skip(withoutChromium);
});

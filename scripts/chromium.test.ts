/** Says in every report whether the tests in a browser ran. */
import { test } from 'vitest';
import { withoutBrowser } from './chromium.js';

test('the tests in a browser run', (context) => {
  if (!withoutBrowser) return;
  const required = (process.env['II_REQUIRE_DEVICES'] ?? '').split(',');
  if (required.includes('chromium')) throw new Error(withoutBrowser);
  context.skip(withoutBrowser);
});

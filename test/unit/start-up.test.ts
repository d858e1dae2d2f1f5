/** bin/increp.js sets this object before the program is loaded. */
import { expect, test } from 'vitest';
import * as z from 'zod';

test('zod reads its settings from the global object', () => {
  expect(z.config()).toBe((globalThis as Readonly<Record<string, unknown>>)['__zod_globalConfig']);
});

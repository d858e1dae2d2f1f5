/** The files of the page that come from elsewhere. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PROJECT } from '../../../support/project.ts';

const OWN = 'src/serve/page/assets';
const read = (...path: readonly string[]) => readFileSync(join(PROJECT, ...path), 'utf8');

test('htmx is the pinned version, with its license', () => {
  expect(read(OWN, 'htmx.min.js')).toBe(read('node_modules/htmx.org/dist/htmx.min.js'));
  expect(read(OWN, 'htmx-license.txt')).toBe(read('node_modules/htmx.org/LICENSE'));
});

test('no file of the page names another host', () => {
  for (const name of ['page.css', 'page.js']) expect(read(OWN, name)).not.toMatch(/https?:/);
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { wantsJsonMessages } from '../../../src/commands/terminal/json-messages.ts';

test.each([
  ['LOG_FORMAT=json', {}, true],
  ['DEST_URL=broken\nexport LOG_FORMAT = "json" # for the journal', {}, true],
  ['# LOG_FORMAT=json', {}, false],
  ['LOG_FORMAT=jsonl', {}, false],
  ['LOG_FORMAT=json', { LOG_FORMAT: 'pretty' }, false],
  ['', { LOG_FORMAT: 'json' }, true],
  [undefined, {}, false],
])('.env with %j and the environment %j: %s', async (text, environment, wanted) => {
  const workingDirectory = await mkdtemp(join(tmpdir(), 'increp-json-'));
  if (text !== undefined) await writeFile(join(workingDirectory, '.env'), text);
  expect(wantsJsonMessages({ directory: undefined, environment, workingDirectory })).toBe(wanted);
  await rm(workingDirectory, { recursive: true });
});

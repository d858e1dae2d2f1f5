import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureWritable } from '../../../src/state/state-files.ts';

test('a directory that cannot be created is created by root for the user', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'increp-state-'));
  const file = join(parent, 'file');
  await writeFile(file, '');
  const { username } = userInfo();
  await expect(ensureWritable(join(file, 'sync-state'))).rejects.toMatchObject({
    code: 'STATE_NOT_WRITABLE',
    next: expect.stringContaining(`as root, run: install -d -o ${username} -m 700 ${file}/sync-state.`),
  });
  await expect(ensureWritable(file)).rejects.toMatchObject({
    next: expect.stringContaining(`as root, run: chown -R ${username} ${file}.`),
  });
  await rm(parent, { recursive: true });
});

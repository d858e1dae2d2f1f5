import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { accessAdvice, ensureWritable } from '../../../src/state/state-files.ts';

test('a directory that cannot be created in a file system of the kernel is refused, not tried for ever', async () => {
  await expect(ensureWritable('/proc/increp/state')).rejects.toMatchObject({ code: 'STATE_NOT_WRITABLE' });
});

test('a state directory that cannot be used has the command for its cause', async () => {
  const parent = await mkdtemp(join(tmpdir(), 'increp-state-'));
  const file = join(parent, 'file');
  await writeFile(file, '');
  const { username } = userInfo();
  await expect(ensureWritable(join(file, 'sync-state'))).rejects.toMatchObject({
    code: 'STATE_NOT_WRITABLE',
    next: expect.stringContaining(`as root, run: install -d -o ${username} -m 700 ${file}/sync-state`),
  });
  await expect(ensureWritable(file)).rejects.toMatchObject({
    next: expect.stringContaining(`Move the file ${file} to another place.`),
  });
  await expect(ensureWritable(join(parent, 'long'.repeat(100)))).rejects.toMatchObject({
    message: expect.stringContaining('cannot be written: the name is too long'),
    next: 'Correct the path. Or set STATE_DIR.',
  });
  await rm(parent, { recursive: true });
});

test('the command for a directory comes before another directory', async () => {
  const own = await mkdtemp(join(tmpdir(), 'increp-state-'));
  const { username } = userInfo();
  expect(accessAdvice(own, own, 'set STATE_DIR')).toBe(
    `Correct the mode of the directory, or set STATE_DIR; run: chmod -R u+rwX ${own}`,
  );
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) await chown(own, 65_534, 65_534);
  const foreign = isRoot ? own : '/';
  expect(accessAdvice(foreign, foreign, 'set STATE_DIR')).toBe(
    `Give the directory to the user that runs increp, or set STATE_DIR; as root, run: chown -R ${username} ${foreign}`,
  );
  await rm(own, { recursive: true });
});

import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { accessCommand, protectCommand } from '../../src/ownership.ts';

const ROOTS = '/';

test('files of root are given to the user of the process', () => {
  expect(accessCommand([ROOTS], 'Give the files away; ')).toMatch(
    /^Give the files away; as root, run: chown -R \S+ \/$/,
  );
  const file = import.meta.filename;
  vi.spyOn(process, 'getuid').mockReturnValue(12_345);
  const ofFile = accessCommand([file], '');
  vi.restoreAllMocks();
  expect(ofFile).not.toContain('-R');
});

// Only root can give a file to another user.
test.runIf(process.getuid?.() === 0)('a pipeline stays with the user of its service', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-owner-'));
  await chown(directory, 54_321, 54_321);
  vi.spyOn(process, 'getuid').mockReturnValue(12_345);
  const [own, mixed] = [[directory], [directory, ROOTS]].map((paths) => accessCommand(paths, ''));
  const protect = await protectCommand(directory);
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
  expect(own).toBe(`Run increp as user "#54321", who owns the files: sudo -u '#54321' increp status`);
  expect(mixed).toMatch(/chown -R/);
  expect(protect).toBe(`run: sudo -u '#54321' chmod 600 ${directory}`);
});

import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { accessCommand, protectCommand } from '../../src/ownership.ts';

const ROOTS = '/';

test('files of root stay with root, unless its pipeline is elsewhere', () => {
  vi.spyOn(process, 'getuid').mockReturnValue(12_345);
  const [own, state] = [accessCommand([ROOTS], 'Give; '), accessCommand([ROOTS], 'Give; ', false)];
  vi.restoreAllMocks();
  const [first, second] = own.split('\n');
  expect(first).toBe('Run increp as user "root", who owns the files: sudo -u root increp status');
  expect(second).toMatch(/^To give the files to user "\S+" instead, as root, run: chown -R \S+ \/$/);
  expect(state).toMatch(/^Give; as root, run: chown -R \S+ \/$/);
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

test.runIf(process.getuid?.() === 0)('files that a run as root has left are given back', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'increp-owner-'));
  const file = join(directory, '.env');
  await writeFile(file, '');
  await chown(directory, 12_345, 12_345);
  vi.spyOn(process, 'getuid').mockReturnValue(12_345);
  const left = accessCommand([file], 'Give; ');
  vi.restoreAllMocks();
  await rm(directory, { recursive: true });
  expect(left).toMatch(/^Give; as root, run: chown \S+ \S+\.env$/);
});

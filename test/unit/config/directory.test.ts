import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { resolveDirectory, resolveNewDirectory } from '../../../src/config/directory.ts';
import type { Environment } from '../../../src/environment.ts';
import { pipelineDirectory } from './pipeline-directory.ts';

const directoryOf = (directory: string | undefined, environment: Environment) =>
  resolveDirectory({ directory, environment, workingDirectory: process.cwd() });

test('the directory is the one of -C, else of INCREP_DIR, else the current one', async () => {
  await using one = await pipelineDirectory();
  await using other = await pipelineDirectory();
  const environment = { INCREP_DIR: other.directory };
  expect(directoryOf(one.directory, environment)).toBe(one.directory);
  expect(directoryOf(undefined, environment)).toBe(other.directory);
  expect(directoryOf(undefined, { INCREP_DIR: '' })).toBe(process.cwd());
  expect(directoryOf(undefined, {})).toBe(process.cwd());
});

test('a relative directory becomes an absolute one', async () => {
  await using pipeline = await pipelineDirectory();
  expect(directoryOf(relative(process.cwd(), pipeline.directory), {})).toBe(pipeline.directory);
});

test('what is not a directory is refused by the name of what said it', async () => {
  await using pipeline = await pipelineDirectory({ file: '' });
  expect(() => directoryOf('/no/such', {})).toThrow(
    expect.objectContaining({ code: 'USAGE', message: '-C names /no/such, which is not a directory' }),
  );
  expect(() => directoryOf(`${pipeline.directory}/file`, {})).toThrow(
    expect.objectContaining({ code: 'USAGE' }),
  );
  expect(() => directoryOf(undefined, { INCREP_DIR: '/no/such' })).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('INCREP_DIR') as string,
    }),
  );
});

test('a path that the system cannot examine is refused with the reason', () => {
  const path = `/${'long'.repeat(100)}`;
  expect(() => directoryOf(path, {})).toThrow(
    `-C names ${path}, which cannot be examined: the name is too long`,
  );
  const request = { directory: path, environment: {}, workingDirectory: '/' };
  expect(() => resolveNewDirectory(request)).toThrow('which cannot be examined: the name is too long');
});

test('a current directory that was deleted is not blamed on a variable', () => {
  const request = { directory: undefined, environment: {}, workingDirectory: '/no/such' };
  expect(() => resolveDirectory(request)).toThrow('the current directory /no/such does not exist');
});

test('a directory beside it with nearly the same name is named', async () => {
  await using pipeline = await pipelineDirectory();
  await mkdir(join(pipeline.directory, 'warehouse'));
  await writeFile(join(pipeline.directory, 'warehous'), '');
  for (const typed of ['warehosue', 'warehous', 'ware'])
    expect(() => directoryOf(join(pipeline.directory, typed), {})).toThrow(
      `which is not a directory; did you mean ${join(pipeline.directory, 'warehouse')}?`,
    );
  expect(() => directoryOf(join(pipeline.directory, 'orders'), {})).toThrow(/not a directory$/);
});

test('an empty -C is not the current directory', () => {
  expect(() => directoryOf('', {})).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

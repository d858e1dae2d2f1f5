import { mkdir, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { resolveDirectory } from '../../../src/config/directory.ts';
import { pipelineDirectory } from './pipeline-directory.ts';

test('the directory is the one of -C, else of INCREP_DIR, else the current one', async () => {
  await using one = await pipelineDirectory();
  await using other = await pipelineDirectory();
  const environment = { INCREP_DIR: other.directory };
  expect(resolveDirectory(one.directory, environment)).toBe(one.directory);
  expect(resolveDirectory(undefined, environment)).toBe(other.directory);
  expect(resolveDirectory(undefined, { INCREP_DIR: '' })).toBe(process.cwd());
  expect(resolveDirectory(undefined, {})).toBe(process.cwd());
});

test('a relative directory becomes an absolute one', async () => {
  await using pipeline = await pipelineDirectory();
  expect(resolveDirectory(relative(process.cwd(), pipeline.directory), {})).toBe(pipeline.directory);
});

test('what is not a directory is refused by the name of what said it', async () => {
  await using pipeline = await pipelineDirectory({ file: '' });
  expect(() => resolveDirectory('/no/such', {})).toThrow(
    expect.objectContaining({ code: 'USAGE', message: '-C names /no/such, which is not a directory' }),
  );
  expect(() => resolveDirectory(`${pipeline.directory}/file`, {})).toThrow(
    expect.objectContaining({ code: 'USAGE' }),
  );
  expect(() => resolveDirectory(undefined, { INCREP_DIR: '/no/such' })).toThrow(
    expect.objectContaining({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('INCREP_DIR') as string,
    }),
  );
});

test('a directory beside it with nearly the same name is named', async () => {
  await using pipeline = await pipelineDirectory();
  await mkdir(join(pipeline.directory, 'warehouse'));
  await writeFile(join(pipeline.directory, 'warehous'), '');
  for (const typed of ['warehosue', 'warehous', 'ware'])
    expect(() => resolveDirectory(join(pipeline.directory, typed), {})).toThrow(
      `which is not a directory; did you mean ${join(pipeline.directory, 'warehouse')}?`,
    );
  expect(() => resolveDirectory(join(pipeline.directory, 'orders'), {})).toThrow(/not a directory$/);
});

test('an empty -C is not the current directory', () => {
  expect(() => resolveDirectory('', {})).toThrow(expect.objectContaining({ code: 'USAGE' }));
});

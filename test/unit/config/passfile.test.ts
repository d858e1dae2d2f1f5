import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { passwordIn, passwordLine } from '../../../src/config/connection/passfile.ts';
import { CONNECTIONS, pipelineDirectory } from './pipeline-directory.ts';

const LOGIN = { host: 'db', port: 5432, database: 'shop', user: 'reader' };
const found = (text: string, change: Partial<typeof LOGIN> = {}) =>
  passwordIn({ path: '.pgpass', text }, { ...LOGIN, ...change });

describe('a line of a password file', () => {
  test.each([
    ['db:5432:shop:reader:hush', 'hush'],
    ['*:*:*:*:hush', 'hush'],
    ['db:*:shop:*:hush', 'hush'],
    ['db:5432:shop:reader:hush\r', 'hush'],
    ['db:5432:shop:reader:h\\:u\\\\sh', 'h:u\\sh'],
    ['db:5432:shop:reader:h\\ush', 'hush'],
    ['db:5432:shop:reader:hush\\', 'hush\\'],
    ['db:5432:shop:reader:hush:more', 'hush'],
    ['db:5432:shop:reader: hush # no comment ', ' hush # no comment '],
    ['db:5432:shop:reader:*', '*'],
    ['\\d\\b:5432:shop:reader:hush', 'hush'],
    ['db:5432:shop:reader:é😀', 'é😀'],
    ['# db:5432:shop:reader:no\ndb:5432:shop:reader:hush', 'hush'],
    ['\n\nother:5432:shop:reader:no\ndb:5432:shop:reader:hush\n*:*:*:*:late', 'hush'],
  ])('%j fits', (text, password) => {
    expect(found(text)).toBe(password);
  });

  test.each([
    '',
    'db',
    'db:5432:shop:reader',
    'db:5432:shop:reader:',
    'db:5432:shop:reader:\n*:*:*:*:late',
    'db:05432:shop:reader:no',
    'db:5433:shop:reader:no',
    'DB:5432:shop:reader:no',
    'db:5432:shop:reade:no',
    'db:5432:shop:readers:no',
    'd*:5432:shop:reader:no',
    '**:5432:shop:reader:no',
    '\\*:5432:shop:reader:no',
    ' db:5432:shop:reader:no',
    ':5432:shop:reader:no',
    ' # db:5432:shop:reader:no',
    'localhost:5432:shop:reader:no',
    '\u{feff}db:5432:shop:reader:no',
  ])('%j does not', (text) => {
    expect(found(text)).toBeUndefined();
  });

  test.each([
    ['[::1] needs its colons escaped', '\\:\\:1:5432:shop:reader:hush', { host: '::1' }, 'hush'],
    ['and is not found without', '::1:5432:shop:reader:hush', { host: '::1' }, undefined],
    ['a role with a colon', 'db:5432:shop:a\\:b:hush', { user: 'a:b' }, 'hush'],
    ['a role that is a star', 'db:5432:shop:\\*:hush', { user: '*' }, 'hush'],
    ['the usual socket is localhost', 'localhost:5432:shop:reader:hush', { host: '/tmp' }, 'hush'],
    ['that of Debian too', 'localhost:*:*:*:hush', { host: '/var/run/postgresql' }, 'hush'],
    ['another socket is named', '/srv/pg:5432:shop:reader:hush', { host: '/srv/pg' }, 'hush'],
    ['and is not localhost', 'localhost:5432:shop:reader:no', { host: '/srv/pg' }, undefined],
  ])('%s', (_, text, change, password) => {
    expect(found(text, change)).toBe(password);
  });
});

test('messages name the line, and a colon that cuts the password', () => {
  const line = (text: string) => passwordLine({ path: '/p', text }, LOGIN);
  expect(line('x\n*:*:*:*:hush')).toBe('line 2 of /p');
  expect(line('db:5432:shop:reader:hu:sh')).toMatch(/^line 1 of \/p, .*write ":" in a password as "\\:"/);
  expect(line('x')).toBeUndefined();
});

const LINES = 'db:*:shop:reader:from-file-1\nwarehouse:*:analytics:writer:from-file-2\n';

describe('the password file', () => {
  test('serves a side that has no password, and the settings say so', async () => {
    await using pipeline = await pipelineDirectory({ '.pgpass': LINES });
    const HOME = pipeline.directory;
    const settings = await pipeline.load({ ...CONNECTIONS, HOME, DEST_PASSWORD: 'mine' });
    expect(settings.source.credential.known).toBe('from-file-1');
    expect(settings.destination.credential.known).toBe('mine');
    expect(settings.secrets).toContain('from-file-1');
    expect(settings.origins).toMatchObject({
      SOURCE_PASSWORD: `the password file ${join(HOME, '.pgpass')}`,
      DEST_PASSWORD: 'the environment',
    });
    expect(settings.warnings).toEqual([]);
  });

  test('serves a URL without a password, and one that is empty counts as none', async () => {
    await using pipeline = await pipelineDirectory({ '.pgpass': LINES });
    const { source, destination } = await pipeline.load({
      HOME: pipeline.directory,
      SOURCE_URL: 'postgresql://reader@db/shop',
      DEST_URL: 'postgresql://writer:@warehouse/analytics',
    });
    expect([source.credential.known, destination.credential.known]).toEqual(['from-file-1', 'from-file-2']);
  });

  test('is the one that PGPASSFILE names', async () => {
    await using pipeline = await pipelineDirectory({ '.pgpass': '*:*:*:*:no', other: LINES });
    const PGPASSFILE = join(pipeline.directory, 'other');
    const { source } = await pipeline.load({ ...CONNECTIONS, HOME: pipeline.directory, PGPASSFILE });
    expect(source.credential.known).toBe('from-file-1');
  });

  test('is not looked at where nobody needs it', async () => {
    await using pipeline = await pipelineDirectory({ '.pgpass': LINES });
    await chmod(join(pipeline.directory, '.pgpass'), 0o644);
    const passwords = { SOURCE_PASSWORD: 'a', DEST_PASSWORD: 'b' };
    const { warnings } = await pipeline.load({ ...CONNECTIONS, ...passwords, HOME: pipeline.directory });
    expect(warnings).toEqual([]);
  });

  test('that others can read is ignored, with a warning', async () => {
    await using pipeline = await pipelineDirectory({ '.pgpass': LINES });
    await chmod(join(pipeline.directory, '.pgpass'), 0o640);
    const { source, warnings } = await pipeline.load({ ...CONNECTIONS, HOME: pipeline.directory });
    expect(source.credential.known).toBeUndefined();
    expect(warnings).toEqual([
      expect.stringMatching(/^the password file .*\.pgpass is not used: .*mode 0640.*chmod 600 /),
    ]);
  });

  test('that is a directory, or is named and missing, is a warning; none at all is none', async () => {
    await using pipeline = await pipelineDirectory();
    const HOME = pipeline.directory;
    const warningsOf = async (more: object) =>
      (await pipeline.load({ ...CONNECTIONS, HOME, ...more })).warnings;
    expect(await warningsOf({})).toEqual([]);
    expect(await warningsOf({ PGPASSFILE: '/nowhere/pgpass' })).toEqual([
      'PGPASSFILE names /nowhere/pgpass, which does not exist',
    ]);
    await mkdir(join(HOME, '.pgpass'));
    expect(await warningsOf({})).toEqual([expect.stringContaining('not a plain file')]);
  });
});

test('a variable of the environment that is nearly one of ours is a warning', async () => {
  await using pipeline = await pipelineDirectory();
  const { warnings } = await pipeline.load({
    ...CONNECTIONS,
    HOME: pipeline.directory,
    SOURCE_PASWORD: 'Hunter-2-3',
    SOURCE_DATE_EPOCH: '0',
    DEST_PASSWORD_FILE: '',
  });
  expect(warnings).toEqual(['SOURCE_PASWORD (the environment) is unknown; did you mean SOURCE_PASSWORD?']);
});

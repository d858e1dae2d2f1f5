import { chmod, mkdir, rm } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { basename, join } from 'node:path';
import process from 'node:process';
import { describe, expect, test, vi } from 'vitest';
import { slowTest } from '../../support/tier.ts';
import { CONNECTIONS, envFile, pipelineDirectory } from './pipeline-directory.ts';

const without = (name: keyof typeof CONNECTIONS) => ({ ...CONNECTIONS, [name]: undefined });

describe('a variable', () => {
  test('is read from .env, and the settings say so', async () => {
    await using pipeline = await pipelineDirectory({ '.env': envFile(CONNECTIONS) });
    const settings = await pipeline.load({});
    expect(settings.source.host).toBe('db');
    expect(settings.origins).toMatchObject({ SOURCE_HOST: '.env' });
    expect(settings.origins).not.toHaveProperty('SOURCE_PORT');
  });

  test('of the real environment wins over .env', async () => {
    await using pipeline = await pipelineDirectory({ '.env': envFile(CONNECTIONS) });
    const settings = await pipeline.load({ SOURCE_HOST: 'other' });
    expect(settings.source.host).toBe('other');
    expect(settings.origins).toMatchObject({ SOURCE_HOST: 'the environment', DEST_HOST: '.env' });
  });

  test('of the command line wins over all', async () => {
    await using pipeline = await pipelineDirectory({ '.env': 'LOG_LEVEL=warn\n' });
    const settings = await pipeline.load({ ...CONNECTIONS, LOG_LEVEL: 'error' }, { LOG_LEVEL: 'debug' });
    expect(settings.log.level).toBe('debug');
    expect(settings.origins).toMatchObject({ LOG_LEVEL: 'the command line' });
  });

  test('that is empty counts as not set', async () => {
    await using pipeline = await pipelineDirectory({ '.env': envFile({ ...CONNECTIONS, SOURCE_PORT: '' }) });
    const settings = await pipeline.load({ SOURCE_HOST: '' });
    expect(settings.source).toMatchObject({ host: 'db', port: 5432 });
  });

  test('never comes from PGHOST and its relatives', async () => {
    await using pipeline = await pipelineDirectory();
    const error = await pipeline.refusal({ ...without('DEST_HOST'), PGHOST: 'localhost' });
    expect(error.message).toBe(
      `1 problem in the configuration of pipeline ${basename(pipeline.directory)} in ${pipeline.directory}:\n  - DEST_HOST: not set; write DEST_HOST=warehouse.example.com in .env`,
    );
  });

  test('does not reach process.env', async () => {
    await using pipeline = await pipelineDirectory({ '.env': envFile(CONNECTIONS) });
    await pipeline.load({});
    expect(process.env).not.toHaveProperty('SOURCE_HOST');
  });
});

describe('X_FILE', () => {
  test('names the file that X is read from, without the newline at its end', async () => {
    await using pipeline = await pipelineDirectory({ secret: ' pass word \n' });
    const settings = await pipeline.load({ ...CONNECTIONS, SOURCE_PASSWORD_FILE: 'secret' });
    expect(settings.source.credential.known).toBe(' pass word ');
    expect(settings.origins).toMatchObject({ SOURCE_PASSWORD: join(pipeline.directory, 'secret') });
  });

  test('of the real environment wins over X in .env', async () => {
    await using pipeline = await pipelineDirectory({ '.env': 'SOURCE_PASSWORD=weak\n', secret: 'strong' });
    const settings = await pipeline.load({ ...CONNECTIONS, SOURCE_PASSWORD_FILE: 'secret' });
    expect(settings.source.credential.known).toBe('strong');
  });

  test('in .env loses to X in the real environment', async () => {
    await using pipeline = await pipelineDirectory({
      '.env': 'SOURCE_PASSWORD_FILE=secret\n',
      secret: 'weak',
    });
    const settings = await pipeline.load({ ...CONNECTIONS, SOURCE_PASSWORD: 'strong' });
    expect(settings.source.credential.known).toBe('strong');
  });

  test('together with X in one place is refused', async () => {
    await using pipeline = await pipelineDirectory({ secret: 'b' });
    const error = await pipeline.refusal({
      ...CONNECTIONS,
      SOURCE_PASSWORD: 'a',
      SOURCE_PASSWORD_FILE: 'secret',
    });
    expect(error.message).toContain(
      'SOURCE_PASSWORD (the environment): set together with SOURCE_PASSWORD_FILE; remove one of them',
    );
  });

  test.each([
    ['missing', 'does not exist'],
    ['empty', 'is empty'],
    ['.', 'is a directory, not a file'],
  ])('that names a file which is %s is refused', async (path, fault) => {
    await using pipeline = await pipelineDirectory({ empty: '\n' });
    const error = await pipeline.refusal({ ...CONNECTIONS, DEST_PASSWORD_FILE: path });
    expect(error.message).toContain('DEST_PASSWORD_FILE (the environment): ');
    expect(error.message).toContain(fault);
  });
});

test('$CREDENTIALS_DIRECTORY wins over .env and loses to the environment', async () => {
  await using pipeline = await pipelineDirectory({
    '.env': 'SOURCE_PASSWORD=from .env\n',
    'credentials/SOURCE_PASSWORD': 'from a credential\n',
    'credentials/DEST_PASSWORD': 'from a credential',
  });
  const settings = await pipeline.load({
    ...CONNECTIONS,
    DEST_PASSWORD: 'from the environment',
    CREDENTIALS_DIRECTORY: join(pipeline.directory, 'credentials'),
  });
  expect(settings.source.credential.known).toBe('from a credential');
  expect(settings.destination.credential.known).toBe('from the environment');
});

test('the message about a refused password names the file of $CREDENTIALS_DIRECTORY', async () => {
  await using pipeline = await pipelineDirectory({ 'credentials/SOURCE_PASSWORD': 'from a credential' });
  const folder = join(pipeline.directory, 'credentials');
  const settings = await pipeline.load({ ...CONNECTIONS, CREDENTIALS_DIRECTORY: folder });
  expect(settings.source.passwordFrom).toBe(`the password in ${join(folder, 'SOURCE_PASSWORD')}`);
});

// Root may read every directory.
// Root can read each directory.
slowTest.runIf(process.getuid?.() !== 0)('an unreadable $CREDENTIALS_DIRECTORY is one problem', async () => {
  await using pipeline = await pipelineDirectory({
    'credentials/SOURCE_URL': 'postgresql://reader@db/shop',
  });
  const folder = join(pipeline.directory, 'credentials');
  await chmod(folder, 0);
  const { message, next } = await pipeline.refusal({ CREDENTIALS_DIRECTORY: folder });
  await chmod(folder, 0o700);
  const user = userInfo().username;
  expect(message).toMatch(/^1 problem /);
  expect(message).toContain(
    `CREDENTIALS_DIRECTORY (the environment): ${folder} cannot be read: permission denied; it belongs to user "${user}"`,
  );
  expect(next).toBe(`Run the command as user "${user}" or as root. To see how, run "increp help systemd".`);
});

test('files that are there and cannot be read are not said to be missing', async () => {
  await using pipeline = await pipelineDirectory();
  await mkdir(join(pipeline.directory, '.env'));
  await rm(join(pipeline.directory, 'tables-config.json'), { force: true });
  await mkdir(join(pipeline.directory, 'tables-config.json'));
  const { message } = await pipeline.refusal({ SOURCE_HOST: 'db' });
  expect(message).toMatch(
    /^2 problems .*\n.*\.env is a directory, not a file\n.*is a directory, not a file$/,
  );
});

describe('.env', () => {
  test('that is missing is said in one sentence when nothing else is set', async () => {
    await using pipeline = await pipelineDirectory();
    const error = await pipeline.refusal({});
    expect(error.message).toMatch(
      /^1 problem .*\n {2}- \.env: \S+\.env does not exist, and no SOURCE_ or DEST_/,
    );
    expect(error.message).toContain('run "increp init"');
  });

  test('that is missing with tables-config.json means that there is no pipeline', async () => {
    await using pipeline = await pipelineDirectory({ 'tables-config.json': undefined });
    const error = await pipeline.refusal({});
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toBe(
      `there is no pipeline in ${pipeline.directory}: it has neither .env nor tables-config.json`,
    );
    expect(error.next).toContain('"increp init"');
  });

  test('is not needed when the environment has everything', async () => {
    await using pipeline = await pipelineDirectory();
    await expect(pipeline.load()).resolves.toMatchObject({ warnings: [] });
  });

  test('may hold variables of other programs', async () => {
    const others =
      'NODE_ENV LOGLEVEL DATABASE_URL DB_HOST DB_URL DB_USERNAME DB_PASSWORD PGHOST PGPASSWORD TZ LANG PATH HTTP_PROXY STATE ' +
      'STATUS_URL TEST_URL TEST_DB_PORT TEST_HOST TEST_PASSWORD REST_PORT REST_URL POSTGRES_DB POSTGRES_URL AWS_REGION PORT ' +
      'HOST URL NAME SRC_DIR SRC_PATH DESTINATION_PATH RETRY_COUNT RETRIES WEB_URL HOOK_URL SLACK_WEBHOOK_URL SECRET ' +
      'DEBUG HEALTH_URL PROJECT_NAME APP_NAME PIPELINE';
    const lines = others.split(' ').map((name) => `${name}=x\n`);
    await using pipeline = await pipelineDirectory({ '.env': `${envFile(CONNECTIONS)}${lines.join('')}` });
    await expect(pipeline.load({})).resolves.toMatchObject({ warnings: [] });
  });

  test.each([
    ['SORUCE_SSLMODE', 'SOURCE_SSLMODE'],
    ['DST_SSLMODE', 'DEST_SSLMODE'],
    ['DESTINATION_SSLMODE', 'DEST_SSLMODE'],
    ['SRC_SSLMODE', 'SOURCE_SSLMODE'],
    ['source_sslmode', 'SOURCE_SSLMODE'],
    ['STATEDIR', 'STATE_DIR'],
    ['WEBHOK_URL', 'WEBHOOK_URL'],
    ['RETRY_ATEMPTS', 'RETRY_ATTEMPTS'],
    ['PIPLINE_NAME', 'PIPELINE_NAME'],
    ['SORUCE_PASSWORD_FILE', 'SOURCE_PASSWORD_FILE'],
  ])('with %s as its only mistake is refused', async (name, meant) => {
    await using pipeline = await pipelineDirectory({ '.env': `${envFile(CONNECTIONS)}${name}=x\n` });
    const { message } = await pipeline.refusal({});
    expect(message).toContain(`${name} (.env): unknown variable; did you mean ${meant}?`);
  });

  test.each([
    ['SOURCE_USER', 'did you mean SOURCE_USERNAME?'],
    ['SOURCE_PASWORD', 'did you mean SOURCE_PASSWORD?'],
    ['DEST_PASSWORD_FIEL', 'did you mean DEST_PASSWORD?'],
    ['WEBHOOK_EVENT', 'did you mean WEBHOOK_EVENTS?'],
    ['LOG_COLOURS', 'allowed: LOG_LEVEL, LOG_FORMAT'],
    ['INCREP_DIR', 'cannot be set in .env, because it names the directory of .env'],
  ])('with the unknown variable %s is refused: %s', async (name, advice) => {
    await using pipeline = await pipelineDirectory({ '.env': `${name}=1\n` });
    const { message } = await pipeline.refusal();
    expect(message).toContain(`${name} (.env): `);
    expect(message).toContain(advice);
  });

  test.each(['WEBHOOK_URL', 'HEALTHCHECK_URL'])(
    'with a %s that is no URL is refused, and not quoted',
    async (name) => {
      await using pipeline = await pipelineDirectory({ '.env': `${name}=ftp://tokentoken\n` });
      const { message } = await pipeline.refusal();
      expect(message).toContain(`${name} (.env): not a URL that begins with https:// or http://`);
      expect(message).not.toContain('tokentoken');
    },
  );

  test('may name the metrics file relative to the directory', async () => {
    await using pipeline = await pipelineDirectory({ '.env': 'METRICS_TEXTFILE=metrics/shop.prom\n' });
    await expect(pipeline.load()).resolves.toMatchObject({
      metricsTextfile: join(pipeline.directory, 'metrics/shop.prom'),
      warnings: [],
    });
  });

  test('with a metrics file that node_exporter would not read is warned about', async () => {
    await using pipeline = await pipelineDirectory({ '.env': 'METRICS_TEXTFILE=/var/lib/shop.txt\n' });
    expect((await pipeline.load()).warnings).toEqual([
      'METRICS_TEXTFILE does not end in .prom, so node_exporter will not read "/var/lib/shop.txt"',
    ]);
  });

  test('that others can read is warned about', async () => {
    await using pipeline = await pipelineDirectory({ '.env': '' });
    await chmod(join(pipeline.directory, '.env'), 0o644);
    const { warnings } = await pipeline.load();
    const path = join(pipeline.directory, '.env');
    expect(warnings).toEqual([`.env can be read by other users (mode 0644); run: chmod 600 ${path}`]);
  });

  test('of root stays with root, who runs the pipeline', async () => {
    await using pipeline = await pipelineDirectory({ '.env': '' });
    const path = join(pipeline.directory, '.env');
    await chmod(path, 0o644);
    vi.spyOn(process, 'getuid').mockReturnValue(12_345);
    const { warnings } = await pipeline.load();
    vi.restoreAllMocks();
    expect(warnings).toEqual([
      `.env can be read by other users (mode 0644); run: sudo -u root chmod 600 ${path}`,
    ]);
  });

  test('that belongs to another user and cannot be read is no mistake in the configuration', async () => {
    await using pipeline = await pipelineDirectory();
    const path = join(pipeline.directory, '.env');
    await mkdir(path);
    vi.spyOn(process, 'getuid').mockReturnValue(12_345);
    const { next } = await pipeline.refusal({});
    vi.restoreAllMocks();
    expect(next.split('\n')).toEqual([
      'Run increp as user "root", who owns the files: sudo -u root increp status',
      `To give the files to user "${userInfo().username}" instead, as root, run: chown -R ${userInfo().username} ${path}`,
    ]);
  });

  test('is given together with the other files of a run as root', async () => {
    await using pipeline = await pipelineDirectory();
    const paths = ['.env', 'tables-config.json', 'sync-state'].map((name) => join(pipeline.directory, name));
    for (const path of paths) await rm(path, { force: true }).then(() => mkdir(path));
    vi.spyOn(process, 'getuid').mockReturnValue(12_345);
    const { next } = await pipeline.refusal({});
    vi.restoreAllMocks();
    expect(next).toMatch(new RegExp(`as root, run: chown -R ${userInfo().username} ${pipeline.directory}$`));
  });

  test.each(['SOURCE_PASSWORD=a#b', 'SOURCE_PASSWORD=#b', 'DEST_DB=odd#b # a comment', 'LOG_LEVEL=info#b'])(
    '%j is refused, because the value is certainly cut',
    async (text) => {
      await using pipeline = await pipelineDirectory({ '.env': text });
      const { message } = await pipeline.refusal({});
      const [name] = text.split('=');
      expect(message).toContain(
        `${name} (.env): the value ends before the #; quote the value (${name}='...') if`,
      );
      expect(message).not.toContain('as it is read');
      expect(message).not.toContain('#b');
    },
  );

  test('a cut value that the environment replaces is no problem', async () => {
    await using pipeline = await pipelineDirectory({ '.env': 'SOURCE_PASSWORD=a#b' });
    const { warnings } = await pipeline.load({ ...CONNECTIONS, SOURCE_PASSWORD: 'a#b' });
    expect(warnings).toEqual([]);
  });

  test.each([
    ['SOURCE_PASSWORD=a #b', '.env: the value of SOURCE_PASSWORD ends before the #'],
    ['SOURCE_PASSWORD="${SECRET}"', '.env: the value of SOURCE_PASSWORD contains ${...}'],
    ["SOURCE_PASSWORD='ab", '.env: the value of SOURCE_PASSWORD begins with a quote that is never closed'],
    ['SOURCE_DB=one\nSOURCE_DB=two', '.env sets SOURCE_DB twice; the last value is used'],
    ['# fine\n\nSOURCE_DB shop', '.env, line 3: expected NAME=value, found "SOURCE_DB ..."; it is ignored'],
  ])('%j is warned about', async (text, warning) => {
    await using pipeline = await pipelineDirectory({ '.env': text });
    const { warnings } = await pipeline.load();
    expect(warnings).toEqual([expect.stringContaining(warning)]);
    expect(warnings.join()).not.toMatch(/ab|#b/);
  });

  test.each([
    "SOURCE_PASSWORD='a #b'",
    'SOURCE_PASSWORD="a #b" # a comment',
    'export SOURCE_PASSWORD=ab\r\n',
    '\uFEFFSOURCE_PASSWORD=ab',
    'SOURCE_PASSWORD="one\nSOURCE_USER two\nthree"',
    'OTHER=a #b',
  ])('%j is fine', async (text) => {
    await using pipeline = await pipelineDirectory({ '.env': text });
    await expect(pipeline.load()).resolves.toMatchObject({ warnings: [] });
  });

  test('with a malformed line says so before the variables that are not set', async () => {
    const text = `${envFile(CONNECTIONS).replace(/^DEST_USERNAME=.*\n/m, '')}DEST_USERNAME\n`;
    await using pipeline = await pipelineDirectory({ '.env': text });
    const [, first, second] = (await pipeline.refusal({})).message.split('\n');
    const line = text.split('\n').length - 1;
    expect(first).toBe(`  - .env, line ${line}: expected NAME=value, found "DEST_USERNAME"`);
    expect(second).toMatch(/^ {2}- DEST_USERNAME: not set/);
  });

  test.each([
    ['hello', /^ {2}- \.env, line 1: expected NAME=value$/],
    ['SOURCE_PASSWORD sesame', /found "SOURCE_PASSWORD \.\.\."$/],
    ['SOURCE_PASSWORD=open\nsesame', /^ {2}- \.env, line 2: expected NAME=value$/],
    [
      'a b\nc d\ne f\n\ng sesame\n',
      /^ {2}- \.env: 4 lines are not of the form NAME=value, the first is line 1$/,
    ],
  ])('%j is refused, and nothing of it is shown that may be secret', async (text, line) => {
    await using pipeline = await pipelineDirectory({ '.env': text });
    const { message } = await pipeline.refusal({});
    expect(message.split('\n')[1]).toMatch(line);
    expect(message).not.toMatch(/sesame|hello/);
  });

  test('of binary bytes is refused, and nothing else is said', async () => {
    await using pipeline = await pipelineDirectory({ '.env': 'S\0O\0U\0R\0C\0E\0' });
    expect((await pipeline.refusal({})).message).toBe(
      `1 problem in the configuration of pipeline ${basename(pipeline.directory)} in ${pipeline.directory}:\n  - .env: ${join(pipeline.directory, '.env')} is not a text file in UTF-8`,
    );
  });

  test('that is a directory is refused', async () => {
    await using pipeline = await pipelineDirectory({ '.env/file': '' });
    expect((await pipeline.refusal()).message).toContain('.env is a directory, not a file');
  });
});

describe('what is not set has a default', () => {
  test('for everything that is not a connection', async () => {
    await using pipeline = await pipelineDirectory();
    await expect(pipeline.load()).resolves.toMatchObject({
      directory: pipeline.directory,
      pipeline: basename(pipeline.directory),
      stateDirectory: join(pipeline.directory, 'sync-state'),
      webhook: undefined,
      metricsTextfile: undefined,
      healthcheckUrl: undefined,
      log: { level: 'info', format: 'auto' },
      secrets: [],
    });
  });

  test('that can be changed', async () => {
    await using pipeline = await pipelineDirectory();
    const changes = { PIPELINE_NAME: 'shop', STATE_DIR: '/var/lib/x', LOG_LEVEL: 'warn', LOG_FORMAT: 'json' };
    await expect(pipeline.load({ ...CONNECTIONS, ...changes })).resolves.toMatchObject({
      pipeline: 'shop',
      stateDirectory: '/var/lib/x',
      log: { level: 'warn', format: 'json' },
    });
  });

  test('but a wrong word is refused with the right one', async () => {
    await using pipeline = await pipelineDirectory();
    const error = await pipeline.refusal({ ...CONNECTIONS, LOG_LEVEL: 'INFO', LOG_FORMAT: 'xml' });
    expect(error.message.split('\n')).toEqual([
      `2 problems in the configuration of pipeline ${basename(pipeline.directory)} in ${pipeline.directory}:`,
      '  - LOG_LEVEL (the environment): "INFO" is unknown; allowed: "trace", "debug", "info", "warn", "error" or "silent"; did you mean info?',
      '  - LOG_FORMAT (the environment): "xml" is unknown; allowed: "auto", "pretty" or "json"',
    ]);
  });
});

test('all problems of all files come at once, in one error', async () => {
  await using pipeline = await pipelineDirectory({
    '.env': 'SOURCE_USER=x\nHEALTHCHECK_URL=y\n',
    'tables-config.json': '[{"name": "orders"}]',
  });
  const error = await pipeline.refusal({ ...without('DEST_DB'), SOURCE_PORT: 'x' });
  expect(error).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 78 });
  expect(error.message).toMatch(/^6 problems in the configuration of pipeline .*:\n/);
  expect(error.message.split('\n')).toHaveLength(7);
});

/** The help of every command, whichever there are: it fits, it says the same things in the same way, its examples work. */
import process from 'node:process';
import { execa } from 'execa';
import { describe, expect, inject, test } from 'vitest';
import type { CommandDescription } from '../../src/commands/descriptions/description.ts';
import { commands } from '../../src/commands/program/registry.ts';
import { displayWidth } from '../../src/report/text.ts';
import { increp } from '../support/increp.ts';
import { emptyControl } from '../support/empty-control.ts';
import { freshPair } from '../support/pair.ts';
import { PROGRAM, withProgram } from '../support/named-program.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { controlPlace } from '../support/service.ts';
import { webhookServer } from '../support/webhook-server.ts';
import { oneIn } from '../support/tier.ts';

const all = commands().map(({ description }) => description);
const here = () => ({ directory: inject('workspace') });

async function helpIn(columns: string | undefined, args: string): Promise<string> {
  const { stdout, stderr, exitCode } = await increp(args, here(), { env: { COLUMNS: columns } });
  expect([exitCode, stderr]).toEqual([0, '']);
  // oxlint-disable-next-line no-control-regex -- an escape byte is what must not be there
  expect(stdout).not.toMatch(/\u001b/);
  return stdout;
}

/** Words that cannot be broken are no fault of the layout. */
const tooWide = (text: string, width: number) =>
  text.split('\n').filter((line) => displayWidth(line) > width && !line.startsWith('  $ '));

describe.each(['', ...all.map(({ name }) => name)])('the help of "%s"', (name) => {
  test('fits 80 columns in a pipe, and fewer or more where COLUMNS says so', async () => {
    const piped = await helpIn(undefined, `${name} --help`);
    expect(piped.split('\n').filter((line) => displayWidth(line) > 80)).toEqual([]);
    expect(tooWide(await helpIn('60', `${name} --help`), 60)).toEqual([]);
    expect(await helpIn('200', `${name} --help`)).toBe(piped);
  });

  test('is the same however it is asked for', async () => {
    const long = await helpIn(undefined, `${name} --help`);
    expect(await helpIn(undefined, `${name} -h`)).toBe(long);
    expect(await helpIn(undefined, `help ${name}`)).toBe(long);
  });

  test('names the global options with their variables', async () => {
    const text = (await helpIn(undefined, `${name} --help`)).replace(/\s+/g, ' ');
    expect(text).toContain('[default: current directory] [env: INCREP_DIR]');
    expect(text).toContain('[env: NO_COLOR]');
  });
});

/** What a terminal of that width is sent: util-linux's script gives the command a terminal of its own. */
async function onTerminal(args: string, columns: number, { PAGER = '', rows = 0 } = {}): Promise<string> {
  const command = `stty cols ${columns} rows ${rows}; '${process.execPath}' '${PROGRAM}' ${args}`;
  const { stdout } = await execa('script', ['-qec', command, '/dev/null'], {
    env: { PATH: withProgram(process.env['PATH']), TERM: 'xterm-256color', LANG: 'C.UTF-8', PAGER },
    extendEnv: false,
    stdin: 'ignore',
  });
  return stdout.replaceAll('\r\n', '\n');
}

test('help on a terminal is as wide as it, up to 80, and its headings are bold unless colour is refused', async () => {
  expect(await onTerminal('sync --help --no-color', 64)).toBe((await helpIn('64', 'sync --help')).trimEnd());
  expect(await onTerminal('sync --help --no-color', 200)).toBe(
    (await helpIn(undefined, 'sync --help')).trimEnd(),
  );
  expect(await onTerminal('sync --help', 80)).toContain('\u001b[1mWith every command:\u001b[22m');
});

test('on a terminal, help that is longer than the screen opens in $PAGER', async () => {
  const paged = async (pager: string, rows: number) =>
    (await onTerminal('help selection --no-color', 80, { PAGER: pager, rows })).split('\n')[0];
  const title = 'Select columns, rows, values and names';
  expect(await paged('sed s/^/./', 20)).toBe(`.${title}`);
  expect(await paged('sed s/^/./', 500)).toBe(title);
  expect(await paged('no-such-pager', 20)).toBe(title);
  expect(await paged('no-such-pager "$HOME"', 20)).toBe(title);
});

test('increp alone says what there is, and that nothing was asked for', async () => {
  const alone = await increp('', here());
  expect(alone.exitCode).toBe(64);
  expect(alone.stdout).toBe('');
  expect(alone.stderr).toBe(await helpIn(undefined, '--help'));
  for (const { name, summary } of all)
    expect(alone.stderr).toMatch(new RegExp(`^  ${name} +${summary}$`, 'm'));
  expect(alone.stderr).toMatch(/^First steps:$/m);
  expect(alone.stderr).toMatch(/increp help configuration/);
  expect(alone.stderr).toMatch(/^Exit codes: 0 done/m);
});

/** These are played from end to end elsewhere, by tests that answer or watch them. */
const PLAYED_ELSEWHERE = ['demo', 'init', 'serve', 'work'];

const TABLES = ['orders', 'customers', 'events'] as const;
const shop = {
  tables: TABLES.map((name) => ({ ...ORDERS_CONFIG, name })),
  sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE customers (LIKE orders INCLUDING ALL);
    CREATE TABLE events (LIKE orders INCLUDING ALL); INSERT INTO customers TABLE orders; INSERT INTO events TABLE orders`,
};

describe.each(
  oneIn(
    5,
    all.filter(({ name }) => !PLAYED_ELSEWHERE.includes(name)),
  ),
)('the examples of $name', ({ name, examples }: CommandDescription) => {
  test('do what they say', async () => {
    await using control = name === 'token' ? await controlPlace() : undefined;
    if (control) await emptyControl(control);
    const env = { SERVE_DATABASE_URL: control?.url };
    await using webhook = await webhookServer();
    await using pair = await freshPair(shop);
    await pair.setEnv({ WEBHOOK_URL: webhook.url });
    expect((await increp('sync', pair)).exitCode).toBe(0);
    for (const example of examples) {
      const { exitCode, stdout, stderr } = await increp(example, pair, { env });
      expect(exitCode, `${example}\n${stdout}${stderr}`).toBe(0);
      expect(`${stdout}${stderr}`, example).not.toBe('');
    }
  });
});

test('help suggests the nearest name of all that has help', async () => {
  for (const [typed, meant] of [
    ['COLUMN_NOT_FOUD', 'COLUMN_NOT_FOUND'],
    ['lokback', 'lookback'],
    ['statsu', 'status'],
    ['sinc', 'sync'],
  ])
    expect((await increp(`help ${typed}`, here())).stderr).toContain(`did you mean "${meant}"?`);
});

test('help finds a longer form of a word, and the list of the pages', async () => {
  expect(await helpIn('80', 'help masking')).toBe(await helpIn('80', 'help mask'));
  expect(await helpIn('80', 'help topics')).toBe(await helpIn('80', 'help docs'));
});

test('help about a page, an error, a finding and a setting, and about nothing', async () => {
  for (const [word, text] of [
    ['configuration', /^Configuration\n\nA pipeline is a directory/],
    ['docs/configuration.md', /^Configuration\n/],
    ['DELETE_LIMIT_EXCEEDED', /^DELETE_LIMIT_EXCEEDED\n.*\n\nFix\n/s],
    ['STATE_SPACE', /^STATE_SPACE\n {4}level: warning\n/],
    ['lookback', /^lookback\n {4}meaning: /],
    ['SOURCE_SSLMODE', /^SOURCE_SSLMODE\n {4}meaning: /],
  ] as const)
    expect((await increp(`help ${word}`, here())).stdout).toMatch(text);
  for (const [word, text] of [
    ['upgrade', /^Upgrade increp\n\n1\. Stop the timer/],
    ['partitions', /^sync a partitioned table\n[^]*\n {2}increp help 'Partitioned tables'\n/],
    ['many', /^run many pipelines\n[^]*increp help 'Many pipelines'\n/],
    ['null keys', /^null_keys\n {4}meaning: /],
    ['pipelines many', /^Many pipelines\n/],
    ['how do I add a table?', /^Add a table\n[^]*\n {4}\{ "name": "invoices"/],
    ['orders_stg', /^orders_stg\n {4}content: the staging table/],
    [
      'rename',
      /^rename\n {4}meaning: [^]*\n {4}more: "increp help selection"\n\nanother table name at the destination/,
    ],
    ['stop', /^stop everything for a while/],
    ['production', /^know what increp reads from production/],
    ['email', /^get a mail[^]*increp help deploy/],
    ['warehouse', /^know what increp creates/],
    ['lag', /^see how fresh tables are/],
    ['uninstall', /^Remove a pipeline or uninstall increp\n/],
    ['remove pipeline', /^Remove a pipeline or uninstall increp\n/],
    ['conflict_log', / {4}more: "increp help modes"\n$/],
    ['DEST_URLS', / {4}more: "increp help several-destinations"\n$/],
    ['SOURCE_SSLMODE', / {4}more: "increp help setup"\n$/],
    ['chunk', /more: "increp help large-tables"\n$/],
    ['deletes', /^deletes\n {4}meaning: Rows [^]*\n {4}default: "ignore"\n {4}more: "increp help modes"\n/],
    [
      'columns',
      /^columns\n {4}meaning: Columns to copy\. Default: all\.\n {4}default: none\n {4}more: "increp help selection"\n$/,
    ],
    ['tables', / {4}more: "increp help service"\n/],
    ['filter', /some columns, some rows[^]*increp help selection/],
    ['findings', /"increp help errors"|^Findings/],
    ['tunnel', /increp help ssh\n/],
    ['another machine', /^Move to another machine\n/],
  ] as const)
    expect((await increp(`help ${word}`, here())).stdout, word).toMatch(text);
  expect(await increp('help confguration', here())).toMatchObject({
    exitCode: 64,
    stderr: expect.stringContaining(
      'there is no help about "confguration"; did you mean "configuration"? (USAGE)',
    ),
  });
});

/** The line of deploy/cron/increp.cron, run as cron runs it. */
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { projectFile, withThisIncrep } from '../support/deploy-files.ts';
import { expectSameRows } from '../support/oracle.ts';
import { freshPair, type Pair } from '../support/pair.ts';
import { insertOrders } from '../support/shop.ts';

interface Crontab {
  readonly variables: Readonly<Record<string, string>>;
  readonly command: string;
}

/** As crontab(5) has it: lines NAME=value, and five fields before a command that ends at a percent sign. */
async function crontab(pair: Pair): Promise<Crontab> {
  const text = withThisIncrep(await projectFile('deploy/cron/increp.cron'));
  const lines = text.split('\n').filter((line) => /^[^#\s]/.test(line));
  const variables = lines.filter((line) => /^\w+=/.test(line)).map((line) => line.split('=', 2));
  const [job = '', ...others] = lines.filter((line) => !/^\w+=/.test(line));
  expect(others).toEqual([]);
  const { schedule, command } = /^(?<schedule>(?:[\d*/,-]+\s+){5})(?<command>[^%]+)$/.exec(job)?.groups ?? {};
  expect(schedule?.trim()).toBe('*/5 * * * *');
  return {
    variables: Object.fromEntries(variables) as Record<string, string>,
    command: (command ?? '').replaceAll('/srv/pipelines/shop', pair.directory),
  };
}

/** What cron would mail, and the exit code. */
async function runAsCron(pair: Pair): Promise<{ mail: string; exitCode: number | undefined }> {
  const { variables, command } = await crontab(pair);
  const result = await execa('/bin/sh', ['-c', command], {
    cwd: pair.directory,
    env: { HOME: pair.directory, LOGNAME: 'increp', SHELL: '/bin/sh', PATH: '/usr/bin:/bin', ...variables },
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    reject: false,
  });
  return { mail: result.all, exitCode: result.exitCode };
}

test('cron loads, then brings over what changed, and mails nothing', async () => {
  await using pair = await freshPair('orders');
  expect(await runAsCron(pair)).toEqual({ mail: '', exitCode: 0 });
  await insertOrders(pair, 5);
  expect(await runAsCron(pair)).toEqual({ mail: '', exitCode: 0 });
  await expectSameRows(pair, 'orders');
});

test('when something is wrong the mail says what, and what to do, in words for a person', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query(`ALTER ROLE ${pair.login('source', 'increp').user} PASSWORD 'another one'`);
  const { mail, exitCode } = await runAsCron(pair);
  expect(exitCode).toBe(77);
  expect(mail).toMatch(/^error: .*SOURCE_PASSWORD|^error: .*password/m);
  expect(mail).toMatch(/^ *next: +\S/m);
  expect(mail).not.toContain('{"level"');
  // oxlint-disable-next-line no-control-regex -- it is what must not be there
  expect(mail).not.toMatch(/[^\n\x20-\x7e]/);
});

test('a table that fails is named in the mail', async () => {
  await using pair = await freshPair('orders');
  await pair.source.query('DROP TABLE orders');
  const { mail, exitCode } = await runAsCron(pair);
  expect(exitCode).not.toBe(0);
  expect(mail).toContain('orders');
  expect(mail).toMatch(/next: +\S/);
  expect(mail).not.toContain('{"level"');
});

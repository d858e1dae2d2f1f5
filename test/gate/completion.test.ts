/** Completion in real shells: what TAB makes of what was typed, and what increp is called with then. */
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { describe, expect, inject, test } from 'vitest';
import { commands } from '../../src/commands/program/registry.ts';
import { increp } from '../support/increp.ts';
import { startShell } from '../support/shell-session.ts';
import { hasShell, SHELLS } from '../support/shells-here.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const ODD_NAMES = {
  space: 'Order Items',
  apostrophe: "it's",
  quotes: 'say "hi"',
  dollar: 'cost$HOME',
  colon: 'a:b:c',
  semicolon: 'semi;colon',
  backslash: String.raw`back\slash`,
  star: 'star*',
  bang: 'wow!now',
  hash: '#hash',
  umlaut: 'über uns',
  dash: '-dashed',
};

async function pipeline(names: readonly string[] = ['orders', 'customers', ...Object.values(ODD_NAMES)]) {
  const directory = await mkdtemp(join(inject('workspace'), 'completion-'));
  await mkdir(join(directory, 'elsewhere'));
  await writeFile(
    join(directory, 'tables-config.json'),
    JSON.stringify(names.map((name) => ({ name, replication_key: 'updated_at', unique_cols: ['id'] }))),
  );
  await writeFile(
    join(directory, 'elsewhere', 'tables-config.json'),
    '{ "tables": [{ "name": "far away" }] }',
  );
  return directory;
}

/** What was typed before TAB, and what increp gets in the end. */
const COMMON: readonly (readonly [keys: string, args: readonly string[]])[] = oneIn(2, [
  ['increp stat\t', ['status']],
  ['increp sync --full\t', ['sync', '--full-refresh']],
  ['increp sync --dry\t', ['sync', '--dry-run']],
  ['increp help pl\t', ['help', 'plan']],
  ['increp sync ord\t', ['sync', 'orders']],
  ['increp sync orders cus\t', ['sync', 'orders', 'customers']],
  ['increp sync --wait-lock 5m ord\t', ['sync', '--wait-lock', '5m', 'orders']],
  ['increp sync --exclude ord\t', ['sync', '--exclude', 'orders']],
  ['increp sync --exclude=ord\t', ['sync', '--exclude=orders']],
  ['increp sync --exclude orders,cus\t', ['sync', '--exclude', 'orders,customers']],
  ['increp sync Ord\t', ['sync', ODD_NAMES.space]],
  ['increp sync "Ord\t', ['sync', ODD_NAMES.space]],
  ["increp sync 'Ord\t", ['sync', ODD_NAMES.space]],
  [String.raw`increp sync Order\ I` + '\t', ['sync', ODD_NAMES.space]],
  ['increp sync it\t', ['sync', ODD_NAMES.apostrophe]],
  ['increp sync "it\t', ['sync', ODD_NAMES.apostrophe]],
  ['increp sync say\t', ['sync', ODD_NAMES.quotes]],
  ["increp sync 'say\t", ['sync', ODD_NAMES.quotes]],
  ['increp sync "say\t', ['sync', ODD_NAMES.quotes]],
  ['increp sync cos\t', ['sync', ODD_NAMES.dollar]],
  ['increp sync "cos\t', ['sync', ODD_NAMES.dollar]],
  ['increp sync a\t', ['sync', ODD_NAMES.colon]],
  ['increp sync a:b\t', ['sync', ODD_NAMES.colon]],
  ['increp sync a:b:\t', ['sync', ODD_NAMES.colon]],
  ['increp sync "a:b\t', ['sync', ODD_NAMES.colon]],
  ['increp sync sem\t', ['sync', ODD_NAMES.semicolon]],
  ['increp sync bac\t', ['sync', ODD_NAMES.backslash]],
  ['increp sync sta\t', ['sync', ODD_NAMES.star]],
  ['increp sync wow\t', ['sync', ODD_NAMES.bang]],
  ['increp sync "wow\t', ['sync', ODD_NAMES.bang]],
  [String.raw`increp sync \#h` + '\t', ['sync', ODD_NAMES.hash]],
  ['increp sync übe\t', ['sync', ODD_NAMES.umlaut]],
  ['increp sync -- -da\t', ['sync', '--', ODD_NAMES.dash]],
  ['increp -C elsewhere sync fa\t', ['-C', 'elsewhere', 'sync', 'far away']],
  ['increp sync -C elsewhere fa\t', ['sync', '-C', 'elsewhere', 'far away']],
  ['increp --directory=elsewhere sync fa\t', ['--directory=elsewhere', 'sync', 'far away']],
  ['increp -C ~/elsewhere sync fa\t', ['-C', 'HOME/elsewhere', 'sync', 'far away']],
  ['increp -C els\t sync', ['-C', 'elsewhere', 'sync']],
  ['increp sync nothing-like-it\t', ['sync', 'nothing-like-it']],
]);

describe.each(SHELLS)('%s', (shell) => {
  const isHere = hasShell(shell) || Boolean(process.env['CI']);

  (shell === 'bash' ? test : slowTest).runIf(isHere)(
    'completes commands, flags and the names of tables, quoted as they must be',
    async () => {
      const directory = await pipeline();
      await using session = await startShell(shell, { directory });
      const got: unknown[] = [];
      for (const [keys] of COMMON) {
        const args = await session.type(keys);
        // zsh takes the slash behind a directory away again.
        got.push([keys, args.map((arg) => arg.replace(/\/$/, '').replace(`${directory}/`, 'HOME/'))]);
      }
      expect(got).toEqual(COMMON);
    },
  );

  test.runIf(isHere)('knows the tables of the pipeline that INCREP_DIR names', async () => {
    const directory = await pipeline();
    await using session = await startShell(shell, {
      directory,
      env: { INCREP_DIR: join(directory, 'elsewhere') },
    });
    expect(await session.type('increp sync fa\t')).toEqual(['sync', 'far away']);
  });

  test.runIf(isHere)('says nothing where there is nothing to complete', async () => {
    const directory = await pipeline();
    await writeFile(join(directory, 'tables-config.json'), '[{ "name": "orders", }]');
    await using session = await startShell(shell, { directory });
    expect(await session.type('increp sync ord\t')).toEqual(['sync', 'ord']);
    expect(session.screen()).not.toMatch(/error|SyntaxError|at .*\.js/);
  });
});

describe('what is offered', () => {
  const offered = async (...words: string[]) => {
    const place = { directory: await pipeline(['orders', 'customers', 'a,b', 'two\nlines']) };
    const { stdout, stderr, exitCode } = await increp(['__complete', 'fish', ...words], place);
    expect([exitCode, stderr]).toEqual([0, '']);
    return stdout.split('\n').filter(Boolean);
  };
  const names = async (...words: string[]) => (await offered(...words)).map((line) => line.split('\t')[0]);

  test('is each command with what it does, then its tables but those that are there already', async () => {
    expect(await offered('')).toEqual(
      commands().map(({ description: { name, summary } }) => `${name}\t${summary}`),
    );
    expect(await names('sync', '')).toEqual(['orders', 'customers', 'a,b']);
    expect(await names('sync', 'orders', '')).toEqual(['customers', 'a,b']);
    expect(await names('sync', '--exclude', 'orders', '')).toEqual(['customers', 'a,b']);
  });

  slowTest('is each flag of the command, and those of all commands', async () => {
    for (const { description } of commands()) {
      const flags = Object.values(description.options)
        .flat()
        .filter(({ hidden }) => !hidden);
      const wanted = [...flags.map(({ long }) => long), '--directory', '--no-color', '--help'];
      expect(await names(description.name, '-')).toEqual(wanted);
    }
  });

  test('is nothing where any value will do, or where no more words are taken', async () => {
    expect(await names('sync', '--wait-lock', '')).toEqual([]);
    expect(await names('sync', '--wait-lock=')).toEqual([]);
    expect(await names('demo', '')).toEqual([]);
    expect(await names('nonsense', '')).toEqual([]);
    expect(await names('help', 'sync', '')).toEqual([]);
    expect(await names('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  test('is no name that a list could not hold', async () => {
    expect(await names('sync', '--exclude', '')).toEqual(['orders', 'customers']);
    expect(await names('sync', '--exclude', 'orders,')).toEqual(['orders,customers']);
  });
});

test('a script that is asked for by a wrong name is answered with the right one', async () => {
  const { exitCode, stderr } = await increp('completion bahs', { directory: inject('workspace') });
  expect(exitCode).toBe(64);
  expect(stderr).toContain('"bahs" is not one of bash, zsh, fish; did you mean "bash"?');
});

/**
 * Makes docs/sync.svg: what three commands print on a terminal of 80 columns, when they are really run on two real
 * servers. It needs the program `script` (util-linux) for the terminal.
 */
import { writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { execa } from 'execa';
import { withClient } from '../src/demo/connection.ts';
import { NEW_ORDERS, SCHEMA_CHANGE, SHOP_SQL, shopReaderSql, UPDATES } from '../src/demo/shop.ts';
import { preparePipeline, READER, withStage, type Stage } from '../src/demo/stage.ts';
import { openTerminal, textOf, type Screen } from './screen.ts';
import { drawScreen } from './terminal-svg.ts';

const ROOT = join(import.meta.dirname, '..');
const PICTURE = join(ROOT, 'docs', 'sync.svg');
const COLUMNS = 80;
/** More than the three commands print, so that nothing is moved away. */
const ROWS = 100;
const SHOWN = ['plan', 'sync', 'status'] as const;

/** The first sync is not shown; then the shop goes on, and increp follows. */
async function play(stage: Stage): Promise<Screen> {
  await preparePipeline(stage);
  await atTheSource(stage, [SHOP_SQL, shopReaderSql(READER)]);
  await increpOnTerminal(stage, 'sync');
  await atTheSource(stage, [SCHEMA_CHANGE.sql, NEW_ORDERS.sql, UPDATES.sql]);
  const terminal = openTerminal(COLUMNS, ROWS);
  for (const [index, command] of SHOWN.entries()) {
    await terminal.write(`${index === 0 ? '' : '\r\n'}\u001b[1m$ increp ${command}\u001b[22m\r\n`);
    await terminal.write(await increpOnTerminal(stage, command));
  }
  return terminal.read();
}

const atTheSource = ({ source, signal }: Stage, statements: readonly string[]) =>
  withClient(source, signal, async (client) => {
    for (const sql of statements) await client.query(sql);
  });

/** What it writes on a terminal. The servers of the stage have other ports each time, so they get the default one. */
async function increpOnTerminal({ directory }: Stage, command: string): Promise<string> {
  const program = join(ROOT, 'bin', 'increp.js');
  const { stdout } = await execa(
    'script',
    ['-qec', `stty cols ${COLUMNS} rows ${ROWS} && exec node '${program}' ${command}`, '/dev/null'],
    {
      cwd: directory,
      env: {
        PATH: `${dirname(process.execPath)}:${process.env['PATH']}`,
        HOME: directory,
        TERM: 'xterm-256color',
        LANG: 'C.UTF-8',
      },
      extendEnv: false,
      stdin: 'ignore',
      stripFinalNewline: false,
    },
  );
  return stdout.replaceAll(/127\.0\.0\.1:\d+/g, 'localhost:5432');
}

await execa('node', ['scripts/build.ts'], { cwd: ROOT, preferLocal: true });
const screen = await withStage({ environment: process.env, signal: new AbortController().signal }, play);
await writeFile(PICTURE, drawScreen(screen, COLUMNS, 'increp: plan, sync and status of a small shop'));
console.log(textOf(screen));

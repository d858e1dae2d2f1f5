/** What every command prints, byte for byte, wherever it prints: who cannot see colours, or has no terminal, misses nothing. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { expect, test } from 'vitest';
import { increp } from '../support/increp.ts';
import { freshPair } from '../support/pair.ts';
import type { Pair } from '../support/pair.ts';
import { inTerminal } from '../support/pseudo-terminal.ts';
import { ORDERS_CONFIG, ordersPreset } from '../support/shop.ts';
import { trySync } from '../support/sync.ts';
import { oneIn, slowTest } from '../support/tier.ts';

const COMMANDS = [
  'sync',
  'plan',
  'check',
  'status',
  'verify',
  'sync --help',
  '--help',
  'sync no_such_table',
  'sync --no-such-flag',
] as const;

/** One table that is well, one that fails, one that is switched off. */
async function shop(): Promise<Pair> {
  const pair = await freshPair({
    tables: [
      { ...ORDERS_CONFIG, initial_load: 'copy' },
      { ...ORDERS_CONFIG, name: 'customers' },
      { ...ORDERS_CONFIG, name: 'events', enabled: false },
    ],
    sourceSql: `${ordersPreset.sourceSql}; CREATE TABLE customers (LIKE orders INCLUDING ALL); CREATE TABLE events (LIKE orders)`,
  });
  await pair.destination.query('CREATE VIEW customers AS SELECT 1 AS one');
  await trySync(pair);
  return pair;
}

type Environment = Readonly<Record<string, string | undefined>>;

const COLOR = '\u001b[';
/** Every escape sequence, and every return to the beginning of the line. */
const sequencesOf = (text: string): string[] =>
  text
    .replaceAll('\r\n', '\n')
    .replaceAll('\r', '\u001b\r')
    .split('\u001b')
    .slice(1)
    .map((part) => (part.startsWith('\r') ? '\r' : `\u001b${part.slice(0, part.search(/[A-Za-z]/) + 1)}`));

const isColor = (sequence: string): boolean => sequence.startsWith(COLOR) && sequence.endsWith('m');
const isAscii = (text: string): boolean => Buffer.from(text).every((byte) => byte < 128);

/** What differs from one run to the next. */
const words = (text: string): string =>
  stripVTControlCharacters(text)
    .replaceAll(/[0-9a-f-]{36}|[\d.,:+-]+/g, '#')
    .replaceAll(/\s+/g, ' ');

async function piped(pair: Pair, command: string, env: Environment) {
  const { stdout, stderr } = await increp(command, pair, { env });
  return { stdout, stderr };
}

test('a pipe gets neither colours nor movement, whatever the terminal and the locale could do', async () => {
  await using pair = await shop();
  for (const env of [
    { TERM: 'xterm-256color' },
    { LANG: undefined, LC_ALL: 'C' },
    { LOG_FORMAT: 'pretty' },
  ]) {
    for (const command of COMMANDS) {
      const { stdout, stderr } = await piped(pair, command, env);
      expect(sequencesOf(stdout + stderr), command).toEqual([]);
      expect(stdout + stderr, command).not.toBe('');
      if ('LC_ALL' in env) expect(isAscii(stdout + stderr), `${command}: ${stdout}${stderr}`).toBe(true);
    }
  }
});

slowTest('colour says nothing that words do not say', async () => {
  await using pair = await shop();
  const colored: string[] = [];
  for (const command of COMMANDS) {
    const plain = await piped(pair, command, {});
    const forced = await piped(pair, command, { FORCE_COLOR: '1' });
    const sequences = sequencesOf(forced.stdout + forced.stderr);
    expect(
      sequences.filter((sequence) => !isColor(sequence)),
      command,
    ).toEqual([]);
    expect(words(forced.stdout), command).toBe(words(plain.stdout));
    if (sequences.length > 0) colored.push(command);
    const refused = await piped(pair, command, { FORCE_COLOR: '1', NO_COLOR: '1' });
    expect(sequencesOf(refused.stdout + refused.stderr), command).toEqual([]);
  }
  expect(colored).toEqual(expect.arrayContaining(['sync', 'plan', 'check']));
});

/** `verify` shows its line only if it takes seconds, for example on a busy machine. */
const WITH_LIVE_LINE: readonly string[] = ['sync', 'verify'];

for (const [name, env, flag, expected] of oneIn(6, [
  ['a terminal', {}, '', { hasColor: true, canMove: true }],
  ['NO_COLOR', { NO_COLOR: '1' }, '', { hasColor: false, canMove: true }],
  ['CI', { CI: 'true' }, '', { hasColor: true, canMove: false }],
  ['--no-color', {}, '--no-color ', { hasColor: false, canMove: true }],
  ['TERM=dumb', { TERM: 'dumb' }, '', { hasColor: false, canMove: false }],
  ['no TERM', { TERM: undefined }, '', { hasColor: false, canMove: false }],
] as const)) {
  test(`on a terminal: ${name}`, async () => {
    await using pair = await shop();
    const seen: string[] = [];
    for (const command of COMMANDS) {
      await using terminal = inTerminal(`${flag}${command}`, pair, { env: { LANG: undefined, ...env } });
      await terminal.wait();
      const sequences = sequencesOf(terminal.bytes);
      if (!expected.hasColor) expect(sequences.filter(isColor), command).toEqual([]);
      if (!expected.canMove || !WITH_LIVE_LINE.includes(command))
        expect(
          sequences.filter((sequence) => !isColor(sequence)),
          command,
        ).toEqual([]);
      expect(isAscii(terminal.bytes), `${command}: ${terminal.bytes}`).toBe(true);
      seen.push(...sequences);
    }
    expect(seen.some(isColor)).toBe(expected.hasColor);
    expect(seen.every(isColor)).toBe(!expected.canMove);
  });
}

for (const [stream, redirection] of oneIn(2, [
  ['stdout', '>out'],
  ['stderr', '2>out'],
] as const)) {
  slowTest(`${stream} in a file, the other on the terminal: the file is clean`, async () => {
    await using pair = await shop();
    await pair.setEnv({ LOG_FORMAT: 'pretty' });
    for (const command of COMMANDS) {
      await using terminal = inTerminal(command, pair, { redirections: redirection });
      await terminal.wait();
      const text = await readFile(join(pair.directory, 'out'), 'utf8');
      expect(sequencesOf(text), command).toEqual([]);
    }
  });
}

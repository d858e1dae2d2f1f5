/** A failure that is brought about, and what the command says of it, with the names that every run has others of. */
import { expect } from 'vitest';
import type { ErrorCode } from '../../src/errors.ts';
import { increp, startIncrep } from './increp.ts';
import type { IncrepOptions, IncrepResult, RunningIncrep } from './increp.ts';
import { freshPair } from './pair.ts';
import type { Pair, PairOptions } from './pair.ts';
import type { TimingChanges } from './timing.ts';
import { insertOrders, ORDERS_CONFIG, ordersPreset } from './shop.ts';
import { sync } from './sync.ts';

export interface Provoked {
  readonly pair: Pair;
  /** Ends with the test, last one first. */
  readonly stack: AsyncDisposableStack;
}

export interface Failure {
  readonly code: ErrorCode;
  readonly title: string;
  readonly pair?: PairOptions | 'orders';
  readonly args?: string;
  /** Brings it about; what it returns is for the command. */
  readonly provoke?: (provoked: Provoked) => Promise<IncrepOptions | void>;
  readonly timing?: TimingChanges;
  /** While the command runs. */
  readonly meanwhile?: (running: RunningIncrep, pair: Pair) => Promise<void>;
  readonly sqlstate?: string;
  /** Not the one that docs/errors.md shows. */
  readonly isOther?: true;
  /** Unless the code tells: interrupts, and checks. */
  readonly exitCode?: number;
  /** Parts of what is said: side, table, cause. */
  readonly says: readonly (string | RegExp)[];
  /** A part of the next step. */
  readonly next: string | RegExp;
}

export interface Told {
  readonly result: IncrepResult;
  /** The lines of the error, as they are printed. */
  readonly text: string;
}

export async function provoke({
  pair: options = 'orders',
  args = 'sync -q',
  ...failure
}: Failure): Promise<Told> {
  await using stack = new AsyncDisposableStack();
  const pair = stack.use(await freshPair(options));
  const given = (await failure.provoke?.({ pair, stack })) ?? {};
  const result = await ended(failure, args, pair, given);
  return { result, text: neutral(errorIn(result), pair) };
}

/** As a child process where the test has to do with it while it runs. */
async function ended(
  { meanwhile, timing }: Pick<Failure, 'meanwhile' | 'timing'>,
  args: string,
  pair: Pair,
  given: IncrepOptions,
): Promise<IncrepResult> {
  if (!meanwhile) return increp(args, pair, { ...given, ...(timing && { timing }) });
  await using running = startIncrep(args, pair, given);
  await meanwhile(running, pair);
  return await running.wait();
}

const isLog = (line: string) => line.startsWith('{"level"');

/** From the first error to its next step; a summary stands on stdout, what ends a command on stderr. */
function errorIn({ stdout, stderr }: IncrepResult): string {
  const lines = `${stdout}\n${stderr}`.split('\n').filter((line) => !isLog(line));
  const start = lines.findIndex((line) => /^\s*(?:error|busy|interrupted): /.test(line));
  const end = lines.findIndex((line, index) => index > start && /^\s*next: /.test(line));
  expect(start, `no error in:\n${stdout}\n${stderr}`).toBeGreaterThanOrEqual(0);
  expect(end, `no next step in:\n${stdout}\n${stderr}`).toBeGreaterThan(start);
  const indent = /^ */.exec(lines[start] ?? '')?.[0].length;
  const more = lines.slice(end + 1).findIndex((line) => !/^ {8}/.test(line));
  return lines
    .slice(start, end + 1 + Math.max(0, more))
    .map((line) => line.slice(indent))
    .join('\n');
}

const ADDRESSES = { source: 'db.example.com:5432', destination: 'warehouse.example.com:5432' };
const DATABASES = { source: 'shop', destination: 'analytics' };

/** The names of an example instead of those of one run. */
function neutral(text: string, pair: Pair): string {
  const sides = ['source', 'destination'] as const;
  const named = sides.reduce(
    (changed, side) => {
      const { database } = pair.login(side);
      return changed
        .replaceAll(`pipeline_${database}`, 'shop')
        .replaceAll(
          new RegExp(`127\\.0\\.0\\.1:\\d+/${database}`, 'g'),
          `${ADDRESSES[side]}/${DATABASES[side]}`,
        )
        .replaceAll(database, DATABASES[side])
        .replaceAll(pair.login(side, 'increp').user, side === 'source' ? 'reader' : 'writer');
    },
    text.replaceAll(pair.directory, '/srv/pipelines/shop'),
  );
  return named
    .replaceAll(/localhost:1\b/g, 'bastion.example.com:22')
    .replaceAll('localhost port 1', 'bastion.example.com port 22')
    .replaceAll('-p 1 deploy@localhost', '-p 22 deploy@bastion.example.com')
    .replaceAll(/ \[(?:PL\/pgSQL function|SQL statement) [^\]]*\]/g, '')
    .replaceAll(/-h 127\.0\.0\.1 -p \d+(?= -U writer)/g, '-h warehouse.example.com -p 5432')
    .replaceAll(/-h 127\.0\.0\.1 -p \d+/g, '-h db.example.com -p 5432')
    .replaceAll(/127\.0\.0\.1:\d+/g, '192.0.2.10:5432')
    .replaceAll('127.0.0.1', '192.0.2.10')
    .replaceAll(/(?<=chown -R )\S+/g, 'increp')
    .replaceAll(/\b\d+@[\w.-]+/g, '4242@worker-1')
    .replaceAll(
      /\b(pid|backend|pg_terminate_backend)([ (])\d+/g,
      (_, word: string, mark: string) => `${word}${mark}4242`,
    )
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '2026-01-31T03:00:00.000Z');
}

export const orders = (change: object): PairOptions => ({
  ...ordersPreset,
  tables: [{ ...ORDERS_CONFIG, ...change }],
});
export const copying = orders({ initial_load: 'copy' });

/** A real server says it, of a write to the destination's orders. */
export const onWrite = async ({ pair }: Provoked, statements: string): Promise<void> => {
  await sync(pair);
  await pair.destination.query(`CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql AS
      $$BEGIN ${statements} RETURN new; END$$;
    CREATE TRIGGER meddle BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION meddle()`);
  await insertOrders(pair, 1);
};

/** A session that holds something until the end. */
export const hold = async (
  { pair, stack }: Provoked,
  side: 'source' | 'destination',
  sql: string,
): Promise<void> => {
  const client = await pair[side].connect();
  stack.defer(() => client.release(true));
  await client.query(`BEGIN; ${sql}`);
};

export const reader = (pair: Pair) => pair.login('source', 'increp').user;
export const writer = (pair: Pair) => pair.login('destination', 'increp').user;

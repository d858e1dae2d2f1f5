/** What a command says and does when it cannot do what it was asked. */
import { expect } from 'vitest';
import { increp } from './increp.ts';
import type { IncrepResult } from './increp.ts';
import type { Pair } from './pair.ts';

export interface Said {
  readonly exitCode: number;
  /** Error code, as `--json` has it. */
  readonly code: string;
  /** Parts of the message. */
  readonly what: readonly (string | RegExp)[];
  /** A part of the hint. */
  readonly next: string | RegExp;
}

interface ErrorJson {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

interface LineJson {
  readonly error?: ErrorJson | null;
  readonly tables?: readonly { readonly error: ErrorJson | null }[];
}

function errorOf(result: IncrepResult): ErrorJson | undefined {
  const last = result.lines<LineJson>().at(-1);
  return last?.error ?? last?.tables?.find(({ error }) => error)?.error ?? undefined;
}

/** The relations and schemas at the destination. */
export const leftovers = async (pair: Pair) =>
  (
    await pair.destination.query(`SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace
      UNION ALL SELECT nspname FROM pg_namespace WHERE nspname !~ '^(pg_|information_schema|public)'`)
  ).rows;

/** For people and for machines: what is said, how the command ends, and that the destination is as it was. */
export async function expectRefusal(pair: Pair, said: Said, args = 'sync'): Promise<void> {
  const before = await leftovers(pair);
  for (const command of [`${args} --json`, args]) {
    const result = await increp(command, pair);
    const told = `${result.stdout}\n${result.stderr}`;
    expect(result.exitCode, told).toBe(said.exitCode);
    expect(told).not.toMatch(/at .*\.[jt]s:\d+/);
    for (const side of ['source', 'destination'] as const) {
      expect(told).not.toContain(pair.login(side, 'increp').password);
    }
    const error = command === args ? undefined : errorOf(result);
    if (error) expect(error.code).toBe(said.code);
    // The log is JSON where it is read by no person; only its quotes are in the way.
    const [message, hint] = error
      ? [error.message, error.hint]
      : Array<string>(2).fill(told.replaceAll('\\"', '"'));
    for (const part of said.what) expect(message).toMatch(part);
    expect(hint).toMatch(said.next);
    expect(told).not.toContain('the history of runs was not written');
  }
  expect(await leftovers(pair)).toEqual(before);
}

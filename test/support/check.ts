/** `increp check --json`, with its findings read, and the statements of their actions run. */
import type pg from 'pg';
import { increp, type IncrepOptions } from './increp.ts';
import type { Pair } from './pair.ts';

interface Finding {
  readonly level: 'error' | 'warning' | 'note';
  readonly code: string;
  readonly table: string | null;
  readonly message: string;
  readonly action: string | null;
}

export async function check(pair: Pair, args = '', options: IncrepOptions = {}) {
  const result = await increp(`check --json ${args}`, pair, options);
  const { findings } = result.json<{ findings: Finding[] }>();
  // What kind of disk this machine has is its own affair.
  const isOurs = ({ code }: Finding) => code !== 'STATE_FILESYSTEM';
  const codes = (level: Finding['level']) =>
    findings.filter((each) => each.level === level && isOurs(each)).map(({ code }) => code);
  return {
    exitCode: result.exitCode,
    findings,
    find: (code: string) => findings.find((each) => each.code === code),
    errors: codes('error'),
    warnings: codes('warning'),
    notes: codes('note'),
  };
}

/** Runs the statement that an action prints. */
export async function obey(action: string | null | undefined, pool: pg.Pool): Promise<void> {
  const [, statement] =
    /(?:At|run at) the (?:source|destination)(?:, run(?: as [^:]+)?)?: ([^\n]+)/.exec(action ?? '') ?? [];
  if (statement === undefined) throw new Error(`there is nothing to run in "${action}"`);
  await pool.query(statement);
}

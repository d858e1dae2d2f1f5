/** What the program, called in this process, sends under the path of the role. */
import pg from 'pg';
import { PINNED_PATH } from '../../src/sql/search-path.ts';

const USUAL = 'SET LOCAL search_path TO DEFAULT';
const ENDS = /\b(?:ROLLBACK|COMMIT)\b/;

const textIn = (query: unknown): string => {
  if (typeof query === 'string') return query;
  return typeof query === 'object' && query !== null && 'text' in query ? String(query.text) : '';
};

export async function usualStatementsOf(work: () => Promise<void>): Promise<readonly string[]> {
  const seen = new Set<string>();
  const onUsual = new WeakSet();
  const { query } = pg.Client.prototype;
  pg.Client.prototype.query = function watched(this: pg.Client, ...args: unknown[]) {
    for (const part of textIn(args[0]).split(/(?=SET LOCAL search_path )/)) {
      if (part.startsWith(USUAL)) onUsual.add(this);
      if (part.startsWith(PINNED_PATH)) onUsual.delete(this);
      if (onUsual.has(this)) seen.add(part);
      if (ENDS.test(part)) onUsual.delete(this);
    }
    return (query as (...given: unknown[]) => unknown).apply(this, args);
  } as typeof query;
  try {
    await work();
  } finally {
    pg.Client.prototype.query = query;
  }
  return [...seen];
}

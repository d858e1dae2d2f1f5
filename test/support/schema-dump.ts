/** Everything that pg_dump knows of the destination except rows: what has survived is what it still prints. */
import { execa } from 'execa';
import type { Pair } from './pair.ts';

export async function schemaDump(pair: Pair): Promise<string> {
  const { host, port, user, password, database } = pair.login('destination');
  const { stdout } = await execa(
    'pg_dump',
    ['--schema-only', '--exclude-table=_increp_*', '--exclude-table=*_stg', database],
    { env: { PGHOST: host, PGPORT: String(port), PGUSER: user, PGPASSWORD: password } },
  );
  // The order of equals follows from object identifiers, and the frame from the moment.
  const statements = stdout.split(/\n\n+/).filter((part) => !/^(--|\\|SET |SELECT pg_catalog)/.test(part));
  return statements.toSorted((left, right) => (left < right ? -1 : 1)).join('\n\n');
}

/** Names the GRANT at the destination. The server names only the table that it refused, without its schema. */
import * as z from 'zod';
import { reworded, type IncrepError } from '../../errors.ts';
import { endpointOf } from '../../postgres/endpoint.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import { giveTableTo } from '../../sql/inspect.ts';
import { MISSING_GRANTS } from '../../sql/missing-grants.ts';
import { tableKey, type TableName } from '../../schema/names.ts';
import type { RunContext } from '../context/run-context.ts';
import type { TableFacts } from '../facts/facts.ts';

const REFUSED = /^permission denied for (?:table|view|materialized view|foreign table) (.+)$/s;
const REFUSED_TABLE = /^(permission denied for|must be owner of) table (.+)$/s;
/** The context names the statement of a function in PL/pgSQL. */
const IN_FUNCTION = /^SQL statement "\s*(SELECT|INSERT|UPDATE|DELETE)\b/i;
const ALL = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const;

type OwnTables = Pick<TableFacts, 'destinationName' | 'stagingName' | 'destinationSchema'>;

const runAs = (who: 'a superuser' | 'the owner', error: IncrepError, statement: string): IncrepError =>
  reworded(error, {
    what: error.message,
    next: `At the destination, run as ${who}: ${statement}`,
    cause: error.cause,
  });

const grantRow = z.object({
  schema: z.string(),
  role: z.string(),
  privileges: z.array(z.string()),
  /** An owner can lose a privilege on its own table. */
  isOwner: z.boolean(),
});

/** The staging table is emptied and dropped, and the destination table altered. Only an owner may do that. */
function tableToOwn(
  { destinationName, stagingName }: OwnTables,
  { code, cause }: IncrepError,
): TableName | undefined {
  if (code !== 'PRIVILEGE_MISSING' || !(cause instanceof Error)) return undefined;
  if (endpointOf(cause)?.side !== 'destination') return undefined;
  const [, verdict, table] = REFUSED_TABLE.exec(cause.message) ?? [];
  if (table === stagingName.table) return stagingName;
  return verdict === 'must be owner of' && table === destinationName.table ? destinationName : undefined;
}

/** Returns any other error unchanged, and an error about a name that several tables have. */
export async function withMissingGrant(
  { destination }: Pick<RunContext, 'destination'>,
  facts: OwnTables,
  error: IncrepError,
): Promise<IncrepError> {
  const own = tableToOwn(facts, error);
  if (own) return runAs('a superuser', error, giveTableTo(own, facts.destinationSchema.role));
  const refused = refusedTable(error);
  if (refused === undefined) return error;
  try {
    const { rows } = await destination.withReading((client) =>
      client.query(MISSING_GRANTS, [refused.table, refused.privileges]),
    );
    const [found, ...others] = z.array(grantRow).parse(rows);
    if (!found || others.length > 0) return error;
    const { schema, role, privileges, isOwner } = found;
    const name = { schema, table: refused.table };
    return tableKey(name) === tableKey(facts.destinationName) && !isOwner
      ? runAs('a superuser', error, giveTableTo(name, role))
      : runAs('the owner', error, `GRANT ${privileges.join(', ')} ON ${qualified(name)} TO ${ident(role)}`);
  } catch {
    // The original error matters more than a failed search for the statement.
    return error;
  }
}

function refusedTable({ code, cause }: IncrepError) {
  if (code !== 'PRIVILEGE_MISSING' || !(cause instanceof Error)) return undefined;
  if (endpointOf(cause)?.side !== 'destination') return undefined;
  const table = REFUSED.exec(cause.message)?.[1];
  const where = 'where' in cause && typeof cause.where === 'string' ? cause.where : '';
  const verb = IN_FUNCTION.exec(where)?.[1]?.toUpperCase();
  return table === undefined ? undefined : { table, privileges: verb === undefined ? ALL : [verb] };
}

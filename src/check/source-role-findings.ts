/** Finds privileges of the source role that increp does not need: pure. */
import type { ConnectionSettings } from '../config/settings.ts';
import { listed } from '../format.ts';
import { loginParts } from '../postgres/endpoint.ts';
import type { TableName } from '../schema/names.ts';
import { ident } from '../sql/identifiers.ts';
import { createReader, revokeCreate, revokeWrites } from '../sql/inspect.ts';
import { warning, type Finding } from './finding.ts';
import type { Inspection } from './inspect.ts';
import type { SourceRole, WritableTable } from './inspect-source.ts';

type Situation = Pick<Inspection, 'sourceRole' | 'writable' | 'facts'>;

export function sourceRoleFindings(
  { sourceRole, writable, facts }: Situation,
  source: ConnectionSettings,
): Finding[] {
  const schemas = [...new Set(facts.tables.map(({ sourceName }) => sourceName.schema))];
  const another = `At the source: ${createReader(schemas)}; then change ${loginParts(source)}.`;
  if (sourceRole.isSuper)
    return [
      warning(
        'SOURCE_ROLE_EXCESS_PRIVILEGES',
        undefined,
        `the source role "${sourceRole.role}" is a superuser, but increp only reads`,
        another,
      ),
    ];
  return [
    ...powerFindings(sourceRole),
    ...writeFindings(sourceRole, writable, another),
    ...sourceRole.schemas.flatMap((schema) => createFindings(sourceRole, schema, another)),
  ];
}

function powerFindings({ role, canReplicate, powerfulRoles }: SourceRole): Finding[] {
  if (!canReplicate && powerfulRoles.length === 0) return [];
  const powers = [
    ...(canReplicate ? ['has REPLICATION'] : []),
    ...powerfulRoles.map((name) => `is a member of ${name}`),
  ];
  const statements = [
    ...(canReplicate ? [`ALTER ROLE ${ident(role)} NOREPLICATION`] : []),
    ...powerfulRoles.map((name) => `REVOKE ${name} FROM ${ident(role)}`),
  ];
  return [
    warning(
      'SOURCE_ROLE_EXCESS_PRIVILEGES',
      undefined,
      `the source role "${role}" ${powers.join(', ')}, which increp does not need`,
      `At the source, run: ${statements.join('; ')}`,
    ),
  ];
}

/** The message names some tables. The statement names all of them. */
const NAMED = 5;

function writeFindings(
  { powerfulRoles }: SourceRole,
  writable: readonly WritableTable[],
  another: string,
): Finding[] {
  // A privilege of such a role ends with the membership.
  const own = writable.filter(({ isOwned, grants }) => isOwned || grants.length > 0);
  const tables = powerfulRoles.includes('pg_write_all_data') ? own : writable;
  if (tables.length === 0) return [];
  const names = tables.map(({ table }) => table);
  const isRevocable = tables.every(({ isOwned, grants }) => !isOwned && grants.length > 0);
  return [
    warning(
      'SOURCE_ROLE_CAN_WRITE',
      undefined,
      `the source role may write to ${listed(names, NAMED)}${tables.some(({ isOwned }) => isOwned) ? ', some of which it owns' : ''}`,
      isRevocable ? `At the source, run: ${revokesOf(tables).join('; ')}` : another,
    ),
  ];
}

/** As few statements as possible, one for each set of grants. */
function revokesOf(tables: readonly WritableTable[]): string[] {
  const byGrant = new Map<
    string,
    { grantee: string | null; privileges: readonly string[]; on: TableName[] }
  >();
  for (const { schema, table, grants } of tables)
    for (const grant of grants) {
      const key = JSON.stringify(grant);
      const found = byGrant.get(key) ?? { ...grant, on: [] };
      found.on.push({ schema, table });
      byGrant.set(key, found);
    }
  return [...byGrant.values()].map(({ grantee, privileges, on }) => revokeWrites(on, privileges, grantee));
}

function createFindings(
  { role }: SourceRole,
  { schema, isOwned, createGrantees }: SourceRole['schemas'][number],
  another: string,
): Finding[] {
  if (!isOwned && createGrantees.length === 0) return [];
  const revokes = createGrantees.map((grantee) => revokeCreate(schema, grantee));
  return [
    warning(
      'SOURCE_ROLE_CAN_CREATE',
      undefined,
      `the source role "${role}" may create tables in schema "${schema}"${isOwned ? ', which it owns' : ''}`,
      isOwned ? another : `At the source, run: ${revokes.join('; ')}`,
    ),
  ];
}

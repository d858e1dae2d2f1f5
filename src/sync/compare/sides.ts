/** What of a table's two sides is compared. */
import { carriedType, type Column } from '../../schema/columns.ts';
import type { TableName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import type { Comparable } from '../../sql/compare.ts';
import { DELETED_AT } from '../../sql/destination.ts';
import { ident } from '../../sql/identifiers.ts';
import type { KeyColumn } from '../../sql/removal.ts';
import type { TableFacts } from '../facts.ts';
import { hasMark } from '../marked-rows.ts';
import { groupsFor } from './digests.ts';

export interface Scope {
  readonly relation: Relation;
  /** Whole rows, or keys only. */
  readonly what: 'rows' | 'keys';
  /** SQL predicate over either side. */
  readonly where: string;
  /** SQL predicate over the source: rows that are only newer than the copy. */
  readonly isPending: string;
  /** The table itself, or its staging table while that is being loaded. */
  readonly destination: TableName;
}

export function sidesOf(
  { settings, destinationName, destination, sourceRows }: TableFacts,
  scope: Scope,
): Record<'source' | 'destination', Comparable> {
  const { relation, where } = scope;
  const rows = Math.max(relation.estimatedRows ?? 0, destination?.estimatedRows ?? 0);
  const common = {
    mergeKey: settings.mergeKey,
    columns: scope.what === 'rows' ? relation.columns.map(({ name }) => name) : null,
    groups: groupsFor(rows),
  };
  // Where the column is missing, or was added a moment ago, no row is marked yet.
  const isMarked =
    settings.deletes === 'soft' && hasMark(destination) && scope.destination.table === destinationName.table;
  return {
    source: { ...common, from: sourceRows, where, isPending: scope.isPending },
    destination: {
      ...common,
      from: scope.destination,
      where: isMarked ? `(${where}) AND ${ident(DELETED_AT)} IS NULL` : where,
      isPending: 'false',
    },
  };
}

/** Enums, ranges, rows and arrays are compared by Postgres itself; other types bring a `=` of their own along. */
const isOfExtension = ({ base, typeDetail }: Column): boolean =>
  !base.isBuiltIn && !base.isArray && typeDetail === null;

/** The merge key with the types that it has on each side. */
export function keyColumns(
  { settings, natives }: TableFacts,
  relation: Relation,
  side: 'source' | 'destination',
): KeyColumn[] {
  return settings.mergeKey.flatMap((name) => {
    const column = relation.columns.find((candidate) => candidate.name === name);
    if (!column) return [];
    const isComparedAsText = side === 'source' && isOfExtension(column);
    const ownType = isComparedAsText ? 'text' : column.type;
    const type = side === 'source' ? ownType : carriedType(column, natives);
    return [{ name, type, isComparedAsText, isNullable: !column.isNotNull }];
  });
}

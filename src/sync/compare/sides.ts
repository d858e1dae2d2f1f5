/** What of a table's two sides is compared. */
import type pg from 'pg';
import { carriedType, type Column } from '../../schema/columns.ts';
import { keyTypeOf } from '../../schema/keys.ts';
import type { TableName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { rowKey } from '../../schema/row-identity.ts';
import type { Comparable } from '../../sql/compare.ts';
import { ident } from '../../sql/identifiers.ts';
import { markIn, oursIn } from '../../sql/metadata-columns.ts';
import type { KeyColumn } from '../../sql/removal.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { metadataColumnsOf } from '../write/metadata-columns.ts';
import { groupsFor } from './digests.ts';

/** A table at both ends, in the transactions that read and change it. */
export interface BothSides {
  readonly facts: CopyFacts;
  /** At the source. */
  readonly relation: Relation;
  readonly source: pg.ClientBase;
  readonly destination: pg.ClientBase;
}

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

export function sidesOf(facts: CopyFacts, scope: Scope): Record<'source' | 'destination', Comparable> {
  const { settings, destinationName, destination, sourceRows } = facts;
  const { relation, where } = scope;
  const rows = Math.max(relation.estimatedRows ?? 0, destination?.estimatedRows ?? 0);
  const common = {
    mergeKey: rowKey(settings),
    columns: scope.what === 'rows' ? relation.columns.map(({ name }) => name) : null,
    groups: groupsFor(rows),
    version: settings.onConflict === 'last_update_wins' ? versionIn(relation, settings.replicationKey) : null,
  };
  const ours = scope.destination.table === destinationName.table ? oursAmong(facts) : [];
  return {
    source: { ...common, from: sourceRows, where, isPending: scope.isPending },
    destination: {
      ...common,
      from: scope.destination,
      where: ours.length === 0 ? where : [`(${where})`, ...ours].join(' AND '),
      isPending: 'false',
    },
  };
}

function versionIn({ columns }: Relation, name: string | undefined): Comparable['version'] {
  if (name === undefined) return null;
  const column = columns.find((candidate) => candidate.name === name);
  return { name, isTime: column !== undefined && keyTypeOf(column) !== 'integer' };
}

/** Where a column of ours is missing, or was added a moment ago, no row is marked yet, and none is another pipeline's. */
function oursAmong(facts: CopyFacts): string[] {
  const own = metadataColumnsOf(facts).filter((column) =>
    facts.destination?.columns.some(({ name }) => name === column.name),
  );
  const mark = markIn(own);
  return [...(mark ? [`${ident(mark.name)} IS NULL`] : []), ...oursIn(own)];
}

/** Enums, ranges, rows and arrays are compared by Postgres itself; other types bring a `=` of their own along. */
const isOfExtension = ({ base, typeDetail }: Column): boolean =>
  !base.isBuiltIn && !base.isArray && typeDetail === null;

/** The merge key with the types that it has on each side. */
export function keyColumns(
  { settings, natives }: CopyFacts,
  relation: Relation,
  side: 'source' | 'destination',
): KeyColumn[] {
  return rowKey(settings).flatMap((name) => {
    const column = relation.columns.find((candidate) => candidate.name === name);
    if (!column) return [];
    const isComparedAsText = side === 'source' && isOfExtension(column);
    const ownType = isComparedAsText ? 'text' : column.type;
    const type = side === 'source' ? ownType : carriedType(column, natives);
    return [{ name, type, isComparedAsText, isNullable: !column.isNotNull }];
  });
}

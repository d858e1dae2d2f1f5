/** Describes what is compared on the two sides of a table. */
import type pg from 'pg';
import { carriedType, type Column } from '../../schema/columns.ts';
import { isMerged } from '../../schema/merged-columns.ts';
import { keyTypeOf } from '../../schema/keys.ts';
import type { TableName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { rowKey } from '../../schema/row-identity.ts';
import type { Comparable } from '../../sql/compare.ts';
import { ident } from '../../sql/identifiers.ts';
import { markIn, pipelineConditions } from '../../sql/metadata-columns.ts';
import type { KeyColumn } from '../../sql/removal.ts';
import type { RunContext } from '../context/run-context.ts';
import type { CopyFacts } from '../facts/facts.ts';
import { metadataColumnsOf, writtenColumnsOf } from '../write/metadata-columns.ts';
import { groupsFor } from './digests.ts';

/** A table at the source and at the destination, with the sessions that read and change it. */
export interface BothSides {
  readonly facts: CopyFacts;
  /** At the source. */
  readonly relation: Relation;
  /** Has the server of the session `source`. */
  readonly context: Pick<RunContext, 'source'>;
  readonly source: pg.ClientBase;
  readonly destination: pg.ClientBase;
}

export interface Scope {
  readonly relation: Relation;
  /** Whole rows, or keys only. */
  readonly what: 'rows' | 'keys';
  /** SQL predicate over either side. */
  readonly where: string;
  /** SQL predicate over the source: rows that are new since the last sync. */
  readonly isPending: string;
  /** The destination table, or its staging table during a load. */
  readonly destination: TableName;
}

export function sidesOf(facts: CopyFacts, scope: Scope): Record<'source' | 'destination', Comparable> {
  const { settings, destinationName, destination, sourceRows } = facts;
  const { relation, where } = scope;
  const rows = Math.max(relation.estimatedRows ?? 0, destination?.estimatedRows ?? 0);
  const common = {
    mergeKey: rowKey(settings),
    columns:
      scope.what === 'rows'
        ? relation.columns.map(({ name }) => name).filter((name) => !isMerged(settings, name))
        : null,
    groups: groupsFor(rows),
    version: settings.onConflict === 'last_update_wins' ? versionIn(relation, settings.replicationKey) : null,
  };
  const isWhole = scope.destination.table === destinationName.table;
  const ownRows = isWhole ? pipelineRowsIn(facts) : [];
  return {
    source: { ...common, from: sourceRows, where, isPending: scope.isPending },
    destination: {
      ...common,
      from: scope.destination,
      where: ownRows.length === 0 ? where : [`(${where})`, ...ownRows].join(' AND '),
      isPending: 'false',
      ...(isWhole && settings.mergeKey.length > 0 && { mark: formerMarkIn(facts) }),
    },
  };
}

function versionIn({ columns }: Relation, name: string | undefined): Comparable['version'] {
  if (name === undefined) return null;
  const column = columns.find((candidate) => candidate.name === name);
  return { name, isTime: column !== undefined && keyTypeOf(column) !== 'integer' };
}

/** Other settings than "soft" compare marked rows, too. */
const formerMarkIn = (facts: CopyFacts): string | undefined =>
  facts.settings.deletes === 'soft' ? undefined : markIn(writtenColumnsOf(facts))?.name;

/** If a metadata column is missing, no row is marked as deleted yet and no row belongs to another pipeline. */
function pipelineRowsIn(facts: CopyFacts): string[] {
  const metadataColumns = metadataColumnsOf(facts).filter((column) =>
    facts.destination?.columns.some(({ name }) => name === column.name),
  );
  const mark = markIn(metadataColumns);
  return [...(mark ? [`${ident(mark.name)} IS NULL`] : []), ...pipelineConditions(metadataColumns)];
}

/** Postgres itself compares enums, ranges, composite types and arrays. A type of an extension has its own `=`. */
const isOfExtension = ({ base, typeDetail }: Column): boolean =>
  !base.isBuiltIn && !base.isArray && typeDetail === null;

/** The columns of the unique key with their types on one side. */
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

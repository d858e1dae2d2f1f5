/** Describes a source table and its possible keys before it is configured: pure. */
import {
  clearlyBestKey,
  keyCandidates,
  mergeKeyCandidates,
  type KeyCandidate,
  type MergeKeyCandidate,
  type TableHints,
} from '../schema/key-candidates.ts';
import { formatCounted } from '../format.ts';
import { keyTypeOf } from '../schema/keys.ts';
import type { Relation } from '../schema/relations.ts';
import { ident, qualified } from '../sql/identifiers.ts';

/** Why the table cannot be replicated, and the fix. */
export interface Obstacle {
  readonly why: string;
  readonly next: string;
}

export interface TableProposal {
  readonly name: string;
  readonly relation: Relation;
  readonly bytes: number;
  readonly keys: readonly KeyCandidate[];
  /** The replication key, if it is clear. */
  readonly key: KeyCandidate | undefined;
  readonly mergeKeys: readonly MergeKeyCandidate[];
  /** The unique key, if it is clear. */
  readonly mergeKey: MergeKeyCandidate | undefined;
  readonly obstacle: Obstacle | undefined;
  /** Whether no trigger can set the replication key of an update, so that each application must set it. */
  readonly lacksUpdateTrigger: boolean;
}

/** `10 tables and 1 view` */
export function countTables(tables: readonly { readonly relation: Pick<Relation, 'kind'> }[]): string {
  const views = tables.filter(({ relation }) => relation.kind.endsWith('view')).length;
  return countText({ tables: tables.length - views, views });
}

export function countText({ tables, views }: { readonly tables: number; readonly views: number }): string {
  const counts = [
    [tables, 'table'],
    [views, 'view'],
  ] as const;
  return counts.flatMap(([count, noun]) => (count === 0 ? [] : [formatCounted(count, noun)])).join(' and ');
}

export interface DescribedTable {
  readonly relation: Relation;
  readonly hints: TableHints;
  readonly bytes: number;
  readonly lacksUpdateTrigger: boolean;
}

interface RoleOfSource {
  readonly role: string;
  /** The command that adds tables later. */
  readonly addingCommand: string;
}

export function proposeOptions(
  { relation, hints, bytes, lacksUpdateTrigger }: DescribedTable,
  reader: RoleOfSource,
): TableProposal {
  const keys = keyCandidates(relation, hints);
  const mergeKeys = mergeKeyCandidates(relation, hints);
  return {
    name: relation.name.table,
    relation,
    bytes,
    keys,
    key: clearlyBestKey(keys),
    mergeKeys,
    mergeKey: mergeKeys[0],
    obstacle: obstacleOf(relation, reader),
    lacksUpdateTrigger,
  };
}

/** Columns that the user may choose as the key, although increp does not propose them. */
export const possibleKeys = ({ relation }: TableProposal): string[] =>
  relation.columns.filter(keyTypeOf).map(({ name }) => name);

export const isReady = ({ obstacle, key, mergeKey }: TableProposal): boolean =>
  obstacle === undefined && key !== undefined && mergeKey !== undefined;

function obstacleOf(relation: Relation, { role, addingCommand }: RoleOfSource): Obstacle | undefined {
  const { name, columns, unreadableColumns } = relation;
  const granting = (statement: string) =>
    `At the source, run: ${statement}; then add the table to tables-config.json, or run again: "${addingCommand}".`;
  const grant = granting(`GRANT SELECT ON ${qualified(name)} TO ${ident(role)}`);
  if (!relation.canSelect || (columns.length > 0 && unreadableColumns.length === columns.length))
    return { why: `role "${role}" may not read the table`, next: grant };
  if (unreadableColumns.length > 0)
    return { why: `role "${role}" may not read ${unreadableColumns.join(', ')}`, next: grant };
  if (relation.filtersRows)
    return {
      why: `row-level security would hide rows from role "${role}"`,
      next: granting(`ALTER ROLE ${ident(role)} BYPASSRLS`),
    };
  return columns.length > 0
    ? undefined
    : { why: 'the table has no columns', next: 'No action is needed: there is nothing to copy.' };
}

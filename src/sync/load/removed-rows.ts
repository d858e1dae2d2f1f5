/** Counts the rows that a load removes because the source no longer has them, and enforces `delete_limit`. */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import { formatCount, formatCounted, goneRowsText, ifRight } from '../../format.ts';
import { queryUsually } from '../../postgres/user-search-path.ts';
import { removalVerb } from '../../schema/deleted-rows.ts';
import { carriedType } from '../../schema/columns.ts';
import { reasonText } from '../../report/reasons.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { rowsFrom } from '../../schema/selection.ts';
import { tableCommand } from '../../shell-word.ts';
import { countRows, countWithout } from '../../sql/gone-rows.ts';
import { ident } from '../../sql/identifiers.ts';
import { markIn, pipelineConditions, type MetadataColumnDefinition } from '../../sql/metadata-columns.ts';
import type { TableFacts } from '../facts/facts.ts';
import { metadataColumnsOf } from '../write/metadata-columns.ts';
import type { Comparison } from '../compare/compare-sides.ts';
import type { LoadPlan } from '../plan/plan.ts';
import { keepingNote } from '../plan/kept-values.ts';
import { keepsRest } from '../plan/reload-guard.ts';

export interface GoneRows {
  readonly gone: number;
  /** Rows of the destination table that this pipeline maintains. */
  readonly of: number;
  /** The rows that it has after the load. */
  readonly left: number;
}

export const NONE_GONE: GoneRows = { gone: 0, of: 0, left: 0 };

/** The removal after a comparison of both sides. Rows that the settings keep stay. */
export const comparedLoss = (
  settings: TableFacts['settings'],
  gone: number,
  { sourceRows, destinationRows: of }: Pick<Comparison, 'sourceRows' | 'destinationRows'>,
): GoneRows => ({ gone, of, left: keepsRest(settings) ? of - gone : sourceRows });

interface Limited {
  readonly facts: TableFacts;
  readonly plan: Pick<LoadPlan, 'action' | 'adoption' | 'reasons'>;
  /** --force */
  readonly isForced: boolean;
}

/** `delete_limit` does not apply to --replace and --force, which allow the removal. */
const isLimited = ({ facts: { unclaimed }, plan, isForced }: Limited): boolean =>
  !isForced && (unclaimed === undefined || plan.adoption === 'compare');

/** Undefined if the load may remove the rows. */
export function limitRefusal(limited: Limited, gone: GoneRows): IncrepError | undefined {
  const { facts, plan } = limited;
  const { settings, destinationName } = facts;
  if (!isLimited(limited) || isWithin(settings, gone)) return undefined;
  const flags =
    plan.adoption === 'compare' ? ['--adopt'] : plan.action === 'full-refresh' ? ['--full-refresh'] : [];
  if (settings.mode === 'full-refresh') return refreshRefusal(facts, gone);
  const again = tableCommand('sync', settings.name, ...flags, '--force');
  if (areFewEnough(settings, gone.gone, gone.of)) return collapseRefusal(facts, gone, again);
  const verb = removalVerb(settings);
  return new IncrepError('DELETE_LIMIT_EXCEEDED', {
    what: `loading ${printName(destinationName)} would ${verb} ${inWords(gone)} ${goneRowsText(rowsFrom(settings.selection))}, which is over delete_limit (${settings.deleteLimit}); nothing was changed`,
    next: `If increp may ${verb} these rows, run "${again}". To keep them${settings.deletes === 'soft' ? ' unmarked' : ''}, set "deletes": "keep" for "${settings.name}".${keepingNote(facts)} The load is needed, because ${reasonText(plan.reasons)}.`,
  });
}

/**
 * A full refresh may replace every row, and without a unique key a changed row is a removed and an added row. So in that
 * mode the limit is about the number of rows that are left. In other modes that number matters, too: new unique_cols can make
 * one row of many.
 */
export function isWithin(
  { mode, deleteLimit }: Pick<TableFacts['settings'], 'mode' | 'deleteLimit'>,
  { gone, of, left }: GoneRows,
): boolean {
  if (mode !== 'full-refresh') return areFewEnough({ deleteLimit }, Math.max(gone, of - left), of);
  return deleteLimit === undefined ? left > 0 || of === 0 : of - left <= of * deleteLimit;
}

const areFewEnough = (
  { deleteLimit }: Pick<TableFacts['settings'], 'deleteLimit'>,
  lost: number,
  of: number,
) => lost <= of * (deleteLimit ?? 1);

/** The keys of the rows are still there, but each of many rows has the same key as another one. */
function collapseRefusal(
  { settings: { name, deleteLimit, mergeKey }, destinationName }: TableFacts,
  { of, left }: GoneRows,
  again: string,
): IncrepError {
  const key = mergeKey.join(', ');
  return new IncrepError('DELETE_LIMIT_EXCEEDED', {
    what: `loading ${printName(destinationName)} would leave ${formatCount(left)} of ${rowsOf(of)}, because rows of the source have the same unique_cols (${key}), and the loss is over delete_limit (${deleteLimit}); nothing was changed`,
    next: `If (${key}) does not identify the rows, correct "unique_cols" of "${name}" in tables-config.json. If only the newest row of each key is wanted, run "${again}".`,
  });
}

function refreshRefusal(
  { settings: { name, deleteLimit, selection }, destinationName }: TableFacts,
  { of, left }: GoneRows,
): IncrepError {
  const from = rowsFrom(selection);
  const none = { where: 'no row matches where', query: 'the query returns none' };
  const loss =
    deleteLimit === undefined
      ? `would remove ${of === 1 ? 'its only row' : `all ${rowsOf(of)}`}, because ${from ? none[from] : 'the source has none'}`
      : `would leave ${formatCount(left)} of ${rowsOf(of)}, and the loss is over delete_limit (${deleteLimit})`;
  return new IncrepError('DELETE_LIMIT_EXCEEDED', {
    what: `loading ${printName(destinationName)} ${loss}; nothing was changed`,
    next: `${ifRight(from)}, run "${tableCommand('sync', name, '--force')}". If the table may lose all its rows at any sync, set "delete_limit": 1 for "${name}".`,
  });
}

const rowsOf = (count: number): string => formatCounted(count, 'row');

export const inWords = ({ gone, of }: Pick<GoneRows, 'gone' | 'of'>): string =>
  `${formatCount(gone)} of ${formatCounted(of, 'row')}`;

/** @throws IncrepError DELETE_LIMIT_EXCEEDED */
export function ensureWithinLimit(limited: Limited, gone: GoneRows): void {
  const refusal = limitRefusal(limited, gone);
  if (refusal) throw refusal;
}

/** Users who did not set `deletes` may expect that deleted rows stay. */
export const goneWarning = ({ settings }: TableFacts, gone: number): string[] =>
  gone === 0 || settings.deletes !== 'ignore' || settings.mode === 'full-refresh'
    ? []
    : [
        `${gone === 1 ? '1 row' : `${formatCount(gone)} rows`} ${goneRowsText(rowsFrom(settings.selection))} ${gone === 1 ? 'was' : 'were'} removed: "deletes": "ignore" keeps such rows only until the table is loaded again, and "keep" keeps them for good`,
      ];

const countRow = z.object({ rows: z.number() });

export const queryCount = async (client: pg.ClientBase, sql: string): Promise<number> =>
  countRow.parse((await queryUsually(client, sql)).rows[0]).rows;

/** Counts after the merge, which removed `deleted` rows. */
export async function goneByMerge(
  client: pg.ClientBase,
  facts: TableFacts,
  { inserted, deleted }: { readonly inserted: number; readonly deleted: number },
): Promise<GoneRows> {
  if (deleted === 0) return NONE_GONE;
  const left = await queryCount(client, countRows(facts.destinationName, liveRows(metadataColumnsOf(facts))));
  return { gone: deleted, of: left - inserted + deleted, left };
}

export const countLive = (client: pg.ClientBase, facts: TableFacts): Promise<number> =>
  queryCount(client, countRows(facts.destinationName, liveRows(presentOwn(facts))));

/** Counts before the staging table takes the place of the destination table. */
export async function goneByExchange(
  client: pg.ClientBase,
  facts: TableFacts,
  source: Relation,
): Promise<GoneRows> {
  const { destination, stagingName } = facts;
  if (!destination || !facts.destinationHasRows) return NONE_GONE;
  const where = liveRows(presentOwn(facts));
  const of = await countLive(client, facts);
  const left = await queryCount(client, countRows(stagingName, []));
  if (!hasComparableKey(facts, source)) return { gone: Math.max(0, of - left), of, left };
  return { gone: await countUnstaged(client, facts, source, where), of, left };
}

/** Counts the rows of the destination table whose key is not in the staging table. */
export async function countUnstaged(
  client: pg.ClientBase,
  { destination, destinationName: table, stagingName: staging, settings, natives }: TableFacts,
  source: Relation,
  where: readonly string[],
): Promise<number> {
  const key = settings.mergeKey.map((name) => {
    const [now, old] = [source, destination].map((side) =>
      side?.columns.find((column) => column.name === name),
    );
    return {
      name,
      isNullable: now?.isNotNull === false,
      hasSameType: now !== undefined && carriedType(now, natives) === old?.type,
    };
  });
  const { withKey, withNull } = countWithout({ table, staging, key, where });
  const counted = await queryCount(client, withKey);
  return counted + (withNull === undefined ? 0 : await queryCount(client, withNull));
}

/** The metadata columns that the table already has. A column that the load adds says nothing about the existing rows. */
const presentOwn = (facts: TableFacts) =>
  metadataColumnsOf(facts).filter((column) =>
    facts.destination?.columns.some(({ name }) => name === column.name),
  );

function liveRows(metadataColumns: readonly MetadataColumnDefinition[]): string[] {
  const mark = markIn(metadataColumns);
  return [...pipelineConditions(metadataColumns), ...(mark ? [`${ident(mark.name)} IS NULL`] : [])];
}

const INTEGERS = ['smallint', 'integer', 'bigint'];
const isText = (type: string): boolean => /^(text|character varying(\(\d+\))?)$/.test(type);

const isComparable = (one: string, other: string): boolean =>
  one === other || (INTEGERS.includes(one) && INTEGERS.includes(other)) || (isText(one) && isText(other));

/** Whether the key of the new rows can be compared with the key of the existing rows. */
export const hasComparableKey = ({ destination, settings, natives }: TableFacts, source: Relation): boolean =>
  settings.mergeKey.length > 0 &&
  settings.mergeKey.every((name) => {
    const [now, old] = [source, destination].map((side) =>
      side?.columns.find((column) => column.name === name),
    );
    return now !== undefined && old !== undefined && isComparable(carriedType(now, natives), old.type);
  });

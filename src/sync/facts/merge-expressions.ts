/** Asks the destination about the expressions of `merge`, before anything is read. */
import type pg from 'pg';
import * as z from 'zod';
import { IncrepError } from '../../errors.ts';
import { describeSelect, type SelectField } from '../../postgres/describe-select.ts';
import { onUsualPath } from '../../postgres/user-search-path.ts';
import type { TableSettings } from '../../config/settings.ts';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { carriedType, type NativeCarriers } from '../../schema/columns.ts';
import { converges, type MergedColumn } from '../../schema/merged-columns.ts';
import { printName, type TableName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { atSource } from '../../schema/relations.ts';
import {
  describeExpression,
  explainExpression,
  haveTypes,
  IS_ASSIGNABLE,
  type MergeScope,
} from '../../sql/merge-expression.ts';
import { columnNotFound, patternOption } from './column-not-found.ts';
import type { RunContext } from '../context/run-context.ts';
import { oppositePipelines } from './swapped-sides.ts';
import type { Selected } from './source-selection.ts';
import { refusedSql } from './selection-refusals.ts';

/** What is known of a table before its plan. */
interface MergingTable {
  readonly settings: TableSettings;
  readonly sourceName: TableName;
  readonly source: Relation | undefined;
  readonly selected: Pick<Selected, 'fault'>;
  readonly destinationName: TableName;
  readonly destination: Relation | undefined;
  readonly natives: NativeCarriers;
  readonly servers: { readonly destination: ServerIdentity };
}

/** By table. Asks nothing for a table without `merge`, or if its source has a fault. */
export async function gatherMergeFaults<T extends MergingTable>(
  { source, destination }: Pick<RunContext, 'source' | 'destination'>,
  tables: readonly T[],
): Promise<ReadonlyMap<T, IncrepError>> {
  const faults = new Map<T, IncrepError>();
  for (const table of tables) {
    const { settings, selected, source: relation } = table;
    if (settings.merge.length === 0 || !relation || selected.fault) continue;
    const fault =
      (await destination.withReading((client) => mergeFault(client, table, relation))) ??
      (await source.withReading((client) => oppositeFault(client, table)));
    if (fault) faults.set(table, fault);
  }
  return faults;
}

/** The first expression that is not valid; undefined if all are. `client` is in a transaction that reads. */
async function mergeFault(
  client: pg.ClientBase,
  facts: MergingTable,
  source: Relation,
): Promise<IncrepError | undefined> {
  const { settings } = facts;
  const unknown = settings.merge.find(({ name }) => !source.columns.some((column) => column.name === name));
  const own = atSource(source, settings.selection);
  if (unknown)
    return columnNotFound(own, { key: 'merge', pattern: patternOption(settings, own.name) }, unknown.column);
  const scope = scopeOf(facts, source);
  const types = [...scope.source, ...scope.destination].map(({ type }) => type);
  if (!areThere.parse((await client.query(haveTypes(types))).rows[0]).areThere) return undefined;
  for (const column of settings.merge) {
    const fault = await faultOf(client, { table: settings.name, column, scope });
    if (fault) return fault;
  }
  return undefined;
}

const areThere = z.object({ areThere: z.boolean() });

function scopeOf({ settings, destination, natives }: MergingTable, source: Relation): MergeScope {
  const typed = (relation: Relation) =>
    relation.columns.map((column) => ({ name: column.name, type: carriedType(column, natives) }));
  const ours = typed(source);
  const theirs = (destination?.columns ?? []).map(({ name, type }) => ({ name, type }));
  const isThere = (name: string) => theirs.some((column) => column.name === name);
  return {
    source: typed(atSource(source, settings.selection)),
    destination: [...theirs, ...ours.filter(({ name }) => !isThere(name))],
  };
}

interface Judged {
  readonly table: string;
  readonly column: MergedColumn;
  readonly scope: MergeScope;
}

const plannedRow = z.object({
  'QUERY PLAN': z.tuple([z.object({ Plan: z.object({ 'Node Type': z.string() }) })]),
});
const assignableRow = z.object({ type: z.string(), isAssignable: z.boolean() });
const BEFORE = 'increp_describe';

/** Under the search_path of the merge itself. */
async function faultOf(client: pg.ClientBase, judged: Judged): Promise<IncrepError | undefined> {
  const { table, column, scope } = judged;
  const description = describeExpression(column.column, column.expression, scope);
  await client.query(`SAVEPOINT ${BEFORE}`);
  const found = await onUsualPath(client, async () => {
    const described = await describeSelect(client, description.sql);
    if ('message' in described) await client.query(`ROLLBACK TO SAVEPOINT ${BEFORE}`);
    return described;
  });
  if ('message' in found) return refusedSql(table, found, description, 'destination');
  const { rows } = await onUsualPath(client, () => client.query(explainExpression(column.expression, scope)));
  const [{ Plan: plan }] = plannedRow.parse(rows[0])['QUERY PLAN'];
  return plan['Node Type'] === 'Subquery Scan' ? changing(judged) : unfitType(client, judged, found);
}

const changing = ({ table, column: { column, expression } }: Judged): IncrepError =>
  new IncrepError('SQL_INVALID', {
    what: `"merge.${column}" of "${table}": the expression "${expression}" calls a volatile function, so its result is not determined by the two rows`,
    next: 'Use only source and destination columns in tables-config.json. If the function is your own and always returns the same value for the same arguments, declare it IMMUTABLE at the destination.',
  });

async function unfitType(
  client: pg.ClientBase,
  { table, column: { column, name, expression }, scope }: Judged,
  [field]: readonly SelectField[],
): Promise<IncrepError | undefined> {
  const wanted = scope.destination.find((each) => each.name === name)?.type;
  if (wanted === undefined || !field) throw new Error('an expression was described without its column');
  const { type, isAssignable } = assignableRow.parse(
    (await client.query(IS_ASSIGNABLE, [field.type, wanted])).rows[0],
  );
  return isAssignable
    ? undefined
    : new IncrepError('SQL_INVALID', {
        what: `"merge.${column}" of "${table}": column "${name}" is of type ${wanted} but the expression "${expression}" is of type ${type}`,
        next: `Cast the expression in tables-config.json: (...)::${wanted}.`,
      });
}

/** Two pipelines that bring merged values to each other would merge them again and again. */
async function oppositeFault(client: pg.ClientBase, table: MergingTable): Promise<IncrepError | undefined> {
  const { settings, sourceName, servers } = table;
  const endless = settings.merge.find((column) => !converges(column));
  if (!endless) return undefined;
  const [pipeline] = await oppositePipelines(client, table, servers.destination);
  if (pipeline === undefined) return undefined;
  const { column, name, expression } = endless;
  return new IncrepError('CONFIG_INVALID', {
    what: `"merge.${column}" of "${settings.name}" cannot be used with the opposite pipeline "${pipeline}", which fills ${printName(sourceName)} from this destination: each pipeline would apply "${expression}" to results of the other, without end`,
    next: `Use only greatest or least of both rows, such as "greatest(source.${column}, destination.${name})". Or remove "merge.${column}", and decide with "on_conflict".`,
  });
}

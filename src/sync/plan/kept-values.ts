/** Values at the destination that the selection hides now and that no sync removes. Pure. */
import { goneRowsText, LISTED, listed } from '../../format.ts';
import { keepsDeleted } from '../../schema/deleted-rows.ts';
import { DELETED_AT } from '../../schema/metadata-columns.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { isShared } from '../../schema/row-identity.ts';
import {
  destinationColumn,
  EVERYTHING,
  expressionOf,
  isCopied,
  rowsFrom,
  sourceColumn,
} from '../../schema/selection.ts';
import { tableCommand } from '../../shell-word.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import { hasName } from '../../sql/user-sql.ts';
import type { TableFacts } from '../facts/facts.ts';
import { columnsToDrop } from './alteration.ts';
import type { IncrementalPlan, LoadPlan, Plan } from './plan.ts';
import { keepsRest, shapeHindrance } from './reload-guard.ts';
import { renamesInPlace, withRenames } from './renames-in-place.ts';

export interface KeptValues {
  readonly what: string;
  readonly next: string;
}

const quoted = (names: readonly string[]): string =>
  listed(
    names.map((name) => `"${name}"`),
    LISTED,
  );

const atDestination = (statement: string): string => `run at the destination: ${statement}`;

/** Columns of the source that the selection leaves out, and that the destination table has. */
function uncopied({ destination, settings, source, sourceColumns = [] }: TableFacts): string[] {
  const names = new Set(sourceColumns.filter((name) => !isCopied(settings.selection, name)));
  const made = new Set((source?.columns ?? []).map(({ name }) => name));
  const columns = isShared(settings) ? [] : (destination?.columns ?? []);
  return columns.flatMap(({ name }) => (names.has(name) && !made.has(name) ? [name] : []));
}

/** Columns that stay through every sync, although the selection leaves them out. */
export function keptUncopied(facts: TableFacts, source: Relation): KeptValues | undefined {
  const dropped = columnsToDrop(facts, source).map(({ name }) => name);
  const names = uncopied(facts).filter((name) => !dropped.includes(name));
  if (names.length === 0) return undefined;
  const { settings, destinationName } = facts;
  const option = settings.selection.columns === null ? 'is in "exclude_columns"' : 'is not in "columns"';
  const [columns, keeps, them] =
    names.length === 1 ? ['column', 'keeps its values', 'it'] : ['columns', 'keep their values', 'them'];
  const why = names.length === 1 ? `it ${option}` : option.replace('is', 'they are');
  return {
    what: `${columns} ${quoted(names)} of ${printName(destinationName)} ${keeps}, although ${why}`,
    next: `increp does not drop ${them}. If other programs fill ${them}, no action is needed. To remove the values, ${atDestination(dropColumns(facts, names))}`,
  };
}

const dropColumns = ({ destinationName }: TableFacts, names: readonly string[]): string =>
  `ALTER TABLE ${qualified(destinationName)} ${names.map((name) => `DROP COLUMN ${ident(name)}`).join(', ')}`;

/** Columns whose values `transform` changes since this sync. */
export function newlyMasked(facts: TableFacts): string[] {
  const renames = facts.source ? renamesInPlace(facts, facts.source) : [];
  const { destination, saved, settings, sourceColumns = [] } = withRenames(facts, renames);
  if (saved.kind !== 'record') return [];
  const was = saved.record.selection ?? EVERYTHING;
  return settings.selection.transform.flatMap(({ column, expression }) => {
    const name = destinationColumn(settings.selection, column);
    const isThere = sourceColumns.includes(column) && destination?.columns.some((each) => each.name === name);
    return isThere && expressionOf(was, column) !== expression ? [name] : [];
  });
}

/** Rows that the next sync does not read keep the values from before a new `transform`. */
function keptUnmasked(now: TableFacts): KeptValues | undefined {
  const renames = now.source ? renamesInPlace(now, now.source) : [];
  const facts = withRenames(now, renames);
  const names = newlyMasked(facts);
  if (names.length === 0) return undefined;
  const { settings } = facts;
  const rows =
    settings.deletes === 'soft'
      ? 'rows that are marked as deleted'
      : `rows ${goneRowsText(rowsFrom(settings.selection))}`;
  return {
    what: `${rows} keep their values of ${quoted(names)} from before the new "transform"`,
    next: `To remove these values, ${renames.length > 0 || settings.deletes === 'soft' ? 'after the sync, ' : ''}${overwriting(facts, names)}`,
  };
}

function overwriting(facts: TableFacts, names: readonly string[]): string {
  const { destination, destinationName, settings } = facts;
  const { selection } = settings;
  const valueOf = (name: string) =>
    destination?.columns.some((column) => column.name === name && column.isNotNull)
      ? (expressionOf(selection, sourceColumn(selection, name)) ?? 'NULL')
      : 'NULL';
  const update = `UPDATE ${qualified(destinationName)} SET ${names.map((name) => `${ident(name)} = ${valueOf(name)}`).join(', ')}`;
  if (settings.deletes === 'soft') return atDestination(`${update} WHERE ${ident(DELETED_AT)} IS NOT NULL`);
  const where = whereThere(facts);
  if (where !== undefined) return atDestination(`${update} WHERE (${where}) IS NOT TRUE`);
  if (shapeHindrance(settings) !== undefined) return 'change these rows at the destination';
  return `${atDestination(update)}. Then run: "${tableCommand('sync', settings.name, '--full-refresh')}"`;
}

/** `where`, if it means the same at the destination. */
function whereThere({ settings: { selection }, sourceColumns = [] }: TableFacts): string | undefined {
  const { where } = selection;
  const differs = (column: string) =>
    !isCopied(selection, column) ||
    expressionOf(selection, column) !== undefined ||
    destinationColumn(selection, column) !== column;
  const isOther =
    where === null ||
    hasName(where, 'select') ||
    sourceColumns.some((column) => differs(column) && hasName(where, column));
  return isOther ? undefined : where;
}

const asNote = (kept: KeptValues | undefined): string[] => (kept ? [`${kept.what}. ${kept.next}`] : []);

export const appliesSelection = (facts: TableFacts, plan: Plan): boolean =>
  facts.destinationHasRows &&
  (plan.kind === 'load' || (plan.kind === 'incremental' && plan.evolution !== undefined));

/** Set if the next sync applies a new `transform`, and rows stay that it does not read. */
export function unmaskedAfter(facts: TableFacts, plan: Plan): KeptValues | undefined {
  const { settings } = facts;
  const hasRest = keepsRest(settings) || keepsDeleted(settings) || plan.kind === 'incremental';
  return hasRest && appliesSelection(facts, plan) ? keptUnmasked(facts) : undefined;
}

/** Of a sync that applies another selection. */
export function keptValueNotes(facts: TableFacts, plan: IncrementalPlan | LoadPlan): string[] {
  const kept = appliesSelection(facts, plan) ? keptUncopied(facts, plan.source) : undefined;
  return [...asNote(unmaskedAfter(facts, plan)), ...asNote(kept)];
}

/** What "deletes": "keep" would keep, for a load that removes or marks rows. Begins with a space. */
export function keepingNote(facts: TableFacts): string {
  const masked = keptUnmasked({ ...facts, settings: { ...facts.settings, deletes: 'keep' } });
  const columns = uncopied(facts);
  const [are, stay] =
    columns.length === 1 ? ['column', 'stays with its values'] : ['columns', 'stay with their values'];
  const either = facts.settings.deletes === 'soft' ? 'In both cases' : 'With "keep"';
  return [
    ...(masked ? [` ${either}, ${masked.what}. ${masked.next}.`] : []),
    ...(columns.length === 0
      ? []
      : [
          ` With "keep", ${are} ${quoted(columns)} ${stay}. To remove the values, ${atDestination(dropColumns(facts, columns))}.`,
        ]),
  ].join('');
}

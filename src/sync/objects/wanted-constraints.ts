/** Check constraints, foreign keys and defaults of a source table that belong at the destination. Pure. */
import type { LeftOutReason } from '../../reasons.ts';
import { isSameTable } from '../../schema/names.ts';
import { destinationColumn, expressionOf, isCopied } from '../../schema/selection.ts';
import type { FoundForeignKey } from '../../schema/table-objects.ts';
import { identList, qualified } from '../../sql/identifiers.ts';
import { columnHindrance } from './fitting-columns.ts';
import { definitionHash } from './mark.ts';
import type {
  LeftOutObject,
  ObjectFacts,
  ObjectSettings,
  Referable,
  WantedConstraint,
  WantedDefault,
} from './wanted-types.ts';

/** increp adds each constraint as NOT VALID, and validates it in a second step. */
export const withoutNotValid = (definition: string): string => definition.replace(/ NOT VALID$/, '');

export const wantedChecks = (facts: ObjectFacts): (WantedConstraint | LeftOutObject)[] =>
  facts.source.checks.map(({ name, columns, isValid, ...check }) => {
    const kind = 'check constraint' as const;
    const reason = columnHindrance(facts, columns, 'name-and-type');
    if (reason) return { kind, name, reason };
    const definition = withoutNotValid(check.definition);
    return { kind, name, definition, isValid, parent: undefined, hash: definitionHash(kind, definition) };
  });

/** A default that draws from a sequence comes with "increp sequences", because only a source gives out numbers. */
export const wantedDefaults = (facts: ObjectFacts): (WantedDefault | LeftOutObject)[] =>
  facts.source.defaults
    .filter(({ column, hasSequence }) => !hasSequence && isOfTable(facts, column))
    .map(({ column, expression }) => {
      const kind = 'default' as const;
      const name = destinationColumn(facts.settings.selection, column);
      const reason = columnHindrance(facts, [column], 'type');
      return reason
        ? { kind, name, reason }
        : { kind, name, expression, hash: definitionHash(kind, name, expression) };
    });

/** Whether the destination has the column at all. If not, nothing is missing. */
const isOfTable = ({ settings: { selection }, columns }: ObjectFacts, column: string): boolean =>
  isCopied(selection, column) && columns.some(({ name }) => name === destinationColumn(selection, column));

export const wantedForeignKeys = (facts: ObjectFacts): (WantedConstraint | LeftOutObject)[] =>
  facts.source.foreignKeys.flatMap((key) => {
    const kind = 'foreign key' as const;
    const { name, isValid } = key;
    const parent = facts.tables.find(({ source }) => isSameTable(source, key.parent));
    const hindrance = foreignKeyHindrance(facts, key, parent);
    if (hindrance || !parent || key.rest === null)
      return { kind, name, reason: hindrance ?? { code: 'unknown-form' } };
    const named = ({ selection }: ObjectSettings, columns: readonly string[]) =>
      identList(columns.map((column) => destinationColumn(selection, column)));
    const { destinationName } = parent;
    const head = `FOREIGN KEY (${named(facts.settings, key.columns)}) REFERENCES ${qualified(destinationName)} (${named(parent, key.parentColumns)})`;
    const whole = withoutNotValid(key.rest);
    const rest = withoutActions(whole);
    const definition = head + rest;
    const wanted = {
      ...{ kind, name, definition, isValid },
      ...{ parent: destinationName, hash: definitionHash(kind, definition) },
    };
    if (rest === whole) return wanted;
    const actions = (whole.match(ACTION) ?? []).map((action) => action.trim()).join(' and ');
    const reason = { code: 'actions', actions, definition: head + whole } as const;
    return [wanted, { kind, name, reason }];
  });

const ACTION = / ON (?:DELETE|UPDATE) (?:CASCADE|SET (?:NULL|DEFAULT)(?: \([^)]*\))?)/g;

/**
 * increp removes the row of an old unique key and adds one with the new key. An action would delete or change the rows that
 * refer to it, although the source has them, and no sync would bring them back.
 */
const withoutActions = (rest: string): string => rest.replaceAll(ACTION, '');

/** A foreign key must hold for all rows that the settings of both tables can leave at the destination. */
function foreignKeyHindrance(
  facts: ObjectFacts,
  { columns, parent: { table }, parentColumns, rest }: FoundForeignKey,
  parent: Referable | undefined,
): LeftOutReason | undefined {
  const { settings } = facts;
  if (!parent?.isEnabled || parent.selection.query !== null) return { code: 'parent-not-copied', table };
  if (parent.selection.where !== null) return { code: 'parent-in-part', table };
  const ofChild = columnHindrance(facts, columns, 'values');
  if (ofChild) return ofChild;
  const absent = parentColumns.find(
    (column) => !isCopied(parent.selection, column) || expressionOf(parent.selection, column) !== undefined,
  );
  if (absent !== undefined) return { code: 'parent-column-not-copied', table, column: absent };
  if (settings.mode === 'incremental-append' || parent.mode === 'incremental-append')
    return { code: 'holds-versions' };
  // SET NULL (column): the names of some of the columns are in the text.
  const isRenamed = columns.find((column) => destinationColumn(settings.selection, column) !== column);
  if (isRenamed !== undefined && / SET (NULL|DEFAULT) \(/.test(rest ?? ''))
    return { code: 'column-renamed', column: isRenamed };
  return removesRows(parent) && !removesRows(settings) ? { code: 'child-keeps-rows', table } : undefined;
}

/** Whether rows that are gone from the source are removed by any sync. */
const removesRows = ({ mode, deletes }: ObjectSettings): boolean =>
  deletes === 'hard' || (mode === 'full-refresh' && deletes === 'ignore');

/** Columns that somebody renamed or dropped at the destination. Pure. */
import { IncrepError } from '../../errors.ts';
import { hindranceText } from '../../report/shape-texts.ts';
import { statementLines } from '../../report/text.ts';
import { SQLSTATE } from '../../postgres/sqlstate.ts';
import { carriedType, type Column } from '../../schema/columns.ts';
import { METADATA_COLUMN_TYPES } from '../../schema/metadata-columns.ts';
import { printName } from '../../schema/names.ts';
import type { Relation } from '../../schema/relations.ts';
import { tableCommand } from '../../shell-word.ts';
import { ident, qualified } from '../../sql/identifiers.ts';
import type { TableFacts } from '../facts/facts.ts';
import { formerColumns } from '../facts/saved-state.ts';
import { foreignColumns } from './alteration.ts';
import { reloadHindrance } from './reload-guard.ts';

export interface RenamedColumn {
  readonly from: string;
  readonly to: string;
}

/**
 * Missing columns that the last sync wrote, with the unknown columns of the same type, if there are as many. No state records
 * the numbers of destination columns, so these may also be columns of a user.
 */
export function renamedAtDestination(now: TableFacts, source: Relation): readonly RenamedColumn[] {
  const { saved, natives, destination } = now;
  if (!destination) return [];
  const recorded = formerColumns(saved);
  const typeOf = (column: Column) => carriedType(column, natives);
  const missing = source.columns.filter(
    ({ name }) => recorded.includes(name) && !destination.columns.some((column) => column.name === name),
  );
  const unknown = foreignColumns(now, source).filter(
    ({ name, generated }) => generated === '' && !recorded.includes(name) && !(name in METADATA_COLUMN_TYPES),
  );
  return missing.flatMap((column) => {
    const alike = missing.filter((each) => typeOf(each) === typeOf(column));
    const found = unknown.filter(({ type }) => type === typeOf(column));
    const to = found[alike.indexOf(column)];
    return alike.length === found.length && to ? [{ from: column.name, to: to.name }] : [];
  });
}

const listed = (renamed: readonly RenamedColumn[]): string =>
  renamed.map(({ from, to }) => `column "${from}" was dropped, or renamed to "${to}"`).join(', ');

const renamingBack = ({ destinationName }: TableFacts, renamed: readonly RenamedColumn[]): string[] =>
  renamed.map(
    ({ from, to }) => `ALTER TABLE ${qualified(destinationName)} RENAME ${ident(to)} TO ${ident(from)}`,
  );

/** Afterwards it is too late: the table has both columns then. */
export function renamedColumnNote(now: TableFacts, source: Relation): string[] {
  const renamed = renamedAtDestination(now, source);
  return renamed.length === 0
    ? []
    : [
        `If somebody renamed the column, rename it back before the next sync. At the destination, run:${statementLines(renamingBack(now, renamed))}`,
      ];
}

/** The values of the column that the source no longer has would be in a column that nobody reads. */
export function renamedColumnRefusal(now: TableFacts, source: Relation): IncrepError | undefined {
  const { destinationName, settings } = now;
  const hindrance = reloadHindrance(settings);
  const renamed = renamedAtDestination(now, source);
  if (!hindrance || renamed.length === 0) return undefined;
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${printName(destinationName)} at the destination was altered: ${listed(renamed)}, and increp cannot load the table again: ${hindranceText(hindrance)}`,
    next: `${renamedColumnNote(now, source).join(' ')}\nIf it was dropped, add it again with the values that the source has: "${tableCommand('sync', settings.name, '--full-refresh')}".`,
  });
}

interface Unfilled {
  /** A sentence without its end. */
  readonly what: string;
  readonly next: string;
}

/** NOT NULL columns of a user without a default. Only a trigger could give inserted rows a value for them. */
export function unfilledColumns(now: TableFacts, source: Relation): Unfilled | undefined {
  const { destination, destinationName } = now;
  const unfilled = foreignColumns(now, source)
    .filter(({ name, isNotNull }) => isNotNull && destination?.demandedColumns.includes(name) === true)
    .map(({ name }) => name);
  const [first] = unfilled;
  if (first === undefined || destination?.hasRowTriggers === true) return undefined;
  const names = unfilled.map((name) => `"${name}"`).join(', ');
  const [noun, have] = unfilled.length === 1 ? ['column', 'is'] : ['columns', 'are'];
  const drops = unfilled.map((name) => `ALTER ${ident(name)} DROP NOT NULL`).join(', ');
  return {
    what: `${noun} ${names} of ${printName(destinationName)} at the destination ${have} NOT NULL without a default, and the source has no values for ${unfilled.length === 1 ? 'it' : 'them'}, so no row can be inserted`,
    next: `Give ${unfilled.length === 1 ? 'the column a default' : 'each column a default'}, or allow NULL. At the destination, run:${statementLines([`ALTER TABLE ${qualified(destinationName)} ${drops}`])}`,
  };
}

/** Undefined for any other error. */
export function unfilledRefusal(now: TableFacts, source: Relation, error: unknown): IncrepError | undefined {
  const cause = error instanceof IncrepError ? error.cause : error;
  const unfilled = unfilledColumns(now, source);
  const isNull = cause instanceof Error && 'code' in cause && cause.code === SQLSTATE.notNullViolation;
  if (!isNull || !unfilled) return undefined;
  return new IncrepError('CONSTRAINT_VIOLATED', {
    ...unfilled,
    next: `Nothing was changed. ${unfilled.next}`,
    sqlstate: SQLSTATE.notNullViolation,
    cause: error,
  });
}

/** A new table takes the values of a user's columns by the key. Without the key, the load would fail at its end. */
export function lostKeyRefusal(now: TableFacts, source: Relation): IncrepError | undefined {
  const { destination, destinationName, destinationHasRows, unclaimed, settings } = now;
  // --replace gives up the values, and --adopt needs all columns.
  if (unclaimed) return undefined;
  const lost = settings.mergeKey.find((key) => !destination?.columns.some(({ name }) => name === key));
  const foreign = foreignColumns(now, source).filter(({ generated }) => generated === '');
  if (lost === undefined || foreign.length === 0 || !destinationHasRows || reloadHindrance(settings))
    return undefined;
  const names = foreign.map(({ name }) => `"${name}"`).join(', ');
  const drops = foreign.map(({ name }) => `DROP ${ident(name)}`).join(', ');
  return new IncrepError('SCHEMA_CHANGE_REFUSED', {
    what: `${printName(destinationName)} at the destination has no column "${lost}" of unique_cols, so a load could not keep the values in column ${names}`,
    next: [
      ...renamedColumnNote(now, source),
      `If nobody needs these values, drop them. At the destination, run:${statementLines([`ALTER TABLE ${qualified(destinationName)} ${drops}`])}`,
    ].join('\n'),
  });
}

/** Sentences about the shape of a table: differences, and obstacles to a change in place. */
import type { Difference, EvolutionObstacle, ReloadHindrance } from '../reasons.ts';
import { textFor, type Texts } from './coded-text.ts';

const quoted = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(', ');

export const columnsText = (names: readonly string[]): string =>
  `${names.length === 1 ? 'column' : 'columns'} ${quoted(names)}`;

/** `=label` or `.field type`. A part of a nested type has `>` in front and ` of type` at the end. */
function partText(part: string): string {
  const isInside = part.startsWith('>');
  const text = part.slice(isInside ? 2 : 1);
  const end = isInside ? text.lastIndexOf(' of ') : text.length;
  const [what, owner] = [text.slice(0, end), text.slice(end)];
  return /^>?\./.test(part) ? `the field ${what}${owner}` : `the label '${what}'${owner}`;
}

/** Long SQL would hide the rest of the message. */
const LONGEST_SQL = 60;

function shortSql(text: string): string {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > LONGEST_SQL ? `${line.slice(0, LONGEST_SQL)}...` : line;
}

function sqlChange(what: string, from: string | null, to: string | null): string {
  if (from === null) return `${what} is new: ${shortSql(to ?? '')}`;
  return to === null ? `${what} was removed: ${shortSql(from)}` : `${what} changed to: ${shortSql(to)}`;
}

const listed = (values: readonly string[]): string => values.join(', ');

const DIFFERENCES: Texts<Difference> = {
  'source-recreated': ({ movedTo }) =>
    movedTo === undefined
      ? 'the table was dropped and created again at the source, for example by a restore'
      : `another table has this name at the source now, and the former table is ${movedTo}`,
  'column-dropped': ({ column }) => `column "${column}" was dropped at the source`,
  'column-added': ({ column, type }) => `column "${column}" (${type}) was added at the source`,
  'column-recreated': ({ column }) => `column "${column}" was dropped and added again at the source`,
  'column-changed': ({ column, trait, from, to }) =>
    `column "${column}" changed ${trait} from ${from} to ${to} at the source`,
  'type-parts-dropped': ({ column, type, parts }) =>
    `type ${type} of column "${column}" no longer has ${listed(parts.map(partText))}`,
  'type-fields-changed': ({ column, type }) =>
    `type ${type} of column "${column}" has other fields than before`,
  'column-missing': ({ column, renamedTo }) =>
    renamedTo === undefined
      ? `column "${column}" is missing at the destination`
      : `column "${column}" was dropped at the destination, or renamed to "${renamedTo}"`,
  'column-type-mismatch': ({ column, type, wanted }) =>
    `column "${column}" is ${type} at the destination and must be ${wanted}`,
  'column-not-null': ({ column }) =>
    `column "${column}" is NOT NULL at the destination but not at the source`,
  'table-unlogged': () => 'the destination table is unlogged',
  'enum-labels-missing': ({ type, labels }) =>
    `the enum ${type} lacks ${listed(labels.map((label) => `'${label}'`))} at the destination`,
  'query-changed': ({ from, to }) =>
    from === to ? 'query changed' : `the entry now selects a ${to}, and selected a ${from} before`,
  'where-changed': ({ from, to }) => sqlChange('where', from, to),
  'transform-changed': ({ column, from, to }) => sqlChange(`transform of "${column}"`, from, to),
  'rename-changed': ({ from, to }) => `destination column "${from}" becomes "${to}" (rename)`,
  'column-deselected': ({ column, setting }) => `column "${column}" is no longer copied (${setting})`,
  'column-selected': ({ column, setting }) => `column "${column}" is copied now (${setting})`,
  'setting-changed': ({ setting, from, to }) =>
    setting === 'unique_cols'
      ? `unique_cols changed from [${listed(from)}] to [${listed(to)}]`
      : `${setting} changed from "${listed(from)}" to "${listed(to)}"${setting === 'mode' ? '; existing rows are kept as versions' : ''}`,
};

export const differenceText = (difference: Difference): string => textFor(DIFFERENCES, difference);

export const differencesText = (differences: readonly Difference[]): string =>
  differences.map(differenceText).join('; ');

const HINDRANCES: Texts<ReloadHindrance> = {
  'holds-versions': () => 'it may hold versions of rows that the source no longer has',
  'holds-rows-of-pipelines': () => 'it may hold rows of other pipelines',
  'holds-own-rows': () => 'it may hold rows that exist only at the destination',
  'holds-merged-values': () => 'it holds merged values, which the source does not have',
  'holds-deleted-rows': () => 'it may hold rows that the source no longer has',
};

export const hindranceText = (hindrance: ReloadHindrance): string => textFor(HINDRANCES, hindrance);

const OBSTACLES: Texts<EvolutionObstacle> = {
  ...HINDRANCES,
  'rows-unknown': () => 'the source table was dropped and created again, so any row may have changed',
  'not-convertible': ({ column, type, wanted }) =>
    `column "${column}" of the destination table is ${type}, which cannot become ${wanted} in place`,
  'key-replaced': ({ column, setting }) =>
    `column "${column}" of ${setting} is not the same column as before`,
  'key-reordered': ({ column, setting }) => `column "${column}" of ${setting} has another order than before`,
  'key-nullable': ({ column, setting }) => `column "${column}" of ${setting} may now be NULL`,
  'key-not-unique': ({ columns, side }) => `several rows of the ${side} have the same ${listed(columns)}`,
  'key-values-changed': ({ columns }) =>
    `${columnsText(columns)} no longer identifies the rows of the destination table`,
  'replication-key-values-changed': ({ column }) =>
    `column "${column}", the replication_key, holds other values than before`,
  'converted-otherwise': ({ columns }) =>
    `the source converted ${columnsText(columns)} otherwise than the destination would`,
  'statement-refused': ({ message }) => message,
};

export const obstacleText = (obstacle: EvolutionObstacle): string => textFor(OBSTACLES, obstacle);

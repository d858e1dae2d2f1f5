/** Sentences for the reasons of a plan and of its result. */
import { formatDuration } from '../duration.ts';
import { formatCount, formatCounted, LISTED, listedNames, noRowsText, utcTime } from '../format.ts';
import type {
  CopyCause,
  DriftAnswer,
  Reason,
  ResumeObstacle,
  Rewritten,
  WholeLoadCause,
} from '../reasons.ts';
import { ROW_VERSION } from '../schema/metadata-columns.ts';
import { tableCommand } from '../shell-word.ts';
import { formatAge } from './age.ts';
import { textFor, type Texts } from './coded-text.ts';
import { keptRowsLost } from './lost-rows.ts';
import { differencesText, obstacleText } from './shape-texts.ts';

/** What happens to rows that were marked as deleted, after `deletes` was changed. */
const MARKED_ROWS = {
  hard: 'the comparison removes the marked rows',
  ignore: 'marked rows stay until the next load',
  keep: 'marked rows stay marked',
};

const ROWS_GONE = {
  table: 'rows may be gone there',
  where: 'rows may be gone there or no longer match where',
  query: 'the query may no longer return some rows',
} as const;

const noKeyText = (column: string, rowsFrom: 'where' | 'query' | undefined): string =>
  rowsFrom === undefined
    ? `no row of the source has a value in ${column} any more, as in an emptied table`
    : `${noRowsText(rowsFrom, '')} any more`;

/** What an option does, if it does not select rows or columns. */
const SELECTS: Readonly<Record<string, string>> = {
  rename: 'changes the names of columns',
  transform: 'changes values',
};

function goneRowsStep(
  name: string,
  removal: { deletes: 'hard' | 'soft'; isDue: boolean } | undefined,
  mayKeep: boolean,
): string {
  if (removal?.isDue) return '; the comparison of this sync finds them';
  const command = tableCommand('verify', name);
  return removal === undefined
    ? `${mayKeep ? '; to keep their rows at the destination, set "deletes": "keep". To compare' : '; to compare'}, run "${command}"`
    : `; "deletes": "${removal.deletes}" ${removal.deletes === 'hard' ? 'removes' : 'marks'} them at its next comparison. To compare now, run "${command}"`;
}

const COPY_CAUSES: Texts<CopyCause> = {
  'small-table': () => 'COPY is faster for a small table',
  'source-pooled': () => 'the source is behind a connection pooler, and pg_dump needs a session of its own',
  'program-missing': ({ program }) => `${program} is not installed`,
  'program-unusable': ({ program, fault }) => `${program} does not work: ${fault}`,
  'pg-dump-too-old': ({ version, server }) => `pg_dump ${version} cannot read a server of version ${server}`,
  'pg-restore-too-old': ({ version, pgDump }) =>
    `pg_restore ${version} cannot read what pg_dump ${pgDump} writes`,
  'parameter-too-new': ({ parameter, version }) => `pg_dump ${version} does not know ${parameter}`,
  selection: ({ setting }) =>
    setting === 'query'
      ? 'pg_dump writes tables, not the rows of a query'
      : `pg_dump writes tables as they are, and "${setting}" ${SELECTS[setting] ?? 'selects part of one'}`,
  'kind-without-rows': ({ kind }) => `pg_dump writes no rows for a ${kind}`,
  'child-tables': () => 'pg_dump would omit the rows of child tables',
  'row-versions': () => `pg_dump writes the column "${ROW_VERSION}" of another pipeline, too`,
  'extension-table': ({ extension }) => `${extension} keeps the rows elsewhere, and pg_dump would omit them`,
  'column-privileges-only': () => 'pg_dump needs SELECT on the whole table, not on its columns',
  'generated-column': ({ column }) => `pg_dump omits the generated column "${column}"`,
  'char-column': ({ column }) => `PostgreSQL 14 does not escape bytes of type "char" ("${column}")`,
  'xml-column': ({ column }) =>
    `pg_dump prints xml ("${column}") without its declaration and a leading line break`,
  'money-column': ({ column }) => `pg_dump prints money ("${column}") in the locale of the server`,
  'password-with-line-break': () => 'a password file cannot hold a password with a line break',
};

/** The cause without the sentence around it. */
export const copyCause = (cause: CopyCause): string => textFor(COPY_CAUSES, cause);

/** For a load by COPY if pg_dump was the first choice. */
export const copyCauseText = (cause: CopyCause): string =>
  `loaded by COPY instead of pg_dump: ${copyCause(cause)}`;

const WHOLE_LOAD_CAUSES: Texts<WholeLoadCause> = {
  'storage-without-pages': () => 'it is not stored in pages, and a chunk is a range of pages',
  'extension-table': ({ extension }) => `${extension} keeps the rows elsewhere, so its pages are unknown`,
  'foreign-rows': () => 'some or all of its rows are on another server, so its pages are unknown',
  'kind-without-pages': ({ kind }) => `a ${kind} has no pages, and a chunk is a range of pages`,
  'partitions-fill-locks': () =>
    'it has so many partitions that the source has no room for the locks of a chunk',
  'column-privileges-only': () =>
    'reading the positions of rows needs SELECT on the whole table, not only on its columns',
  'staging-would-be-published': ({ publication }) =>
    `the publication "${publication}" of the destination would send the staging table to its subscribers`,
  'no-plausible-key': ({ replicationKey }) =>
    `no row has a plausible ${replicationKey}, and chunks need a high-water mark`,
};

/** For a load as a whole if the settings ask for chunks. */
export const wholeLoadText = (cause: WholeLoadCause): string =>
  `loaded as a whole instead of in chunks: ${textFor(WHOLE_LOAD_CAUSES, cause)}`;

const RESUME_OBSTACLES: Texts<ResumeObstacle> = {
  'begun-by-another-version': () => 'another version of increp started it',
  'begun-by-another-pipeline': ({ pipeline }) => `pipeline "${pipeline}" started it`,
  'another-source': () => 'the source is another database or table',
  'setting-changed': ({ setting }) =>
    setting === 'selection' ? 'the selected rows or columns changed' : `${setting} changed`,
  'source-altered': () => 'the source table was altered meanwhile',
  'source-rewritten': () =>
    'the source table was rewritten meanwhile (VACUUM FULL, CLUSTER, TRUNCATE, REFRESH), so its pages are no longer the same',
  'staging-changed': () => 'its staging table was dropped, emptied or rewritten meanwhile',
  'staging-misfit': () => 'its staging table has other columns',
};

const REWRITTEN: Texts<Rewritten> = {
  'expression-changed': ({ column }) =>
    `column "${column}" is generated by another expression, so its rows are compared`,
  'partitions-attached': ({ names }) =>
    `${names.length === 1 ? 'a partition was' : `${names.length} partitions were`} attached with older rows (${listedNames(names, LISTED)}), so the rows are compared`,
  'file-rewritten': () => 'the source table was rewritten, so its rows are compared',
  'destination-replaced': () =>
    'the destination table is not the one of the last sync, so its rows are compared',
};

function answerText(answer: DriftAnswer): string {
  if (answer.kind === 'reset') {
    const obstacles = answer.obstacles.map(obstacleText).join('; ');
    return obstacles === '' ? '' : `; not in place: ${obstacles}`;
  }
  const { kind, filledRows } = answer;
  if (filledRows === undefined)
    return kind === 'alter'
      ? ': the destination table is altered in place'
      : ': the destination table keeps its shape';
  const filled = `${formatCounted(filledRows, 'row')} filled`;
  return kind === 'alter'
    ? `: the destination table was altered in place, ${filled}`
    : `: the destination table kept its shape, ${filled}`;
}

export function rowsText({
  rows,
  isMore,
}: {
  readonly rows: number | undefined;
  readonly isMore: boolean;
}): string {
  if (rows === undefined) return 'rows';
  return `${isMore ? 'more than ' : ''}${formatCounted(rows, 'row')}`;
}

export const restOfLoad = ({ done, of }: { readonly done: number; readonly of: number }): string =>
  done === of ? 'the changes since then' : 'the remaining chunks';

/** How a load in chunks continues, and what discards it. @param nextCommand undefined if every run continues it */
export const continuationText = (
  progress: { readonly done: number; readonly of: number },
  nextCommand: string | undefined,
): string => {
  const rest = restOfLoad(progress);
  return nextCommand === undefined
    ? `the next run continues with ${rest}`
    : `the next sync without --full-refresh discards this load; to continue with ${rest}, run "${nextCommand}"`;
};

/** Nobody knows the names of dropped partitions. */
function partitionNames(count: number, names: readonly string[]): string {
  const dropped = count - names.length;
  if (names.length === 0) return '';
  const others =
    dropped === 0
      ? ''
      : `, and ${formatCount(dropped)} that ${dropped === 1 ? 'does' : 'do'} not exist any more`;
  return ` (${listedNames(names, LISTED)}${others})`;
}

export const withoutKept = (keptRows: true | undefined, table?: 'destination'): string =>
  keptRows
    ? `; ${keptRowsLost(table)} (if you need them, restore them from a backup of the destination)`
    : '';

const REASONS: Texts<Reason> = {
  ...REWRITTEN,
  disabled: () => 'it is disabled in tables-config.json',
  'no-destination-table': () => 'there is no destination table yet',
  'empty-destination': () =>
    'increp did not create the destination table, but it is empty, so it gets the columns and rows of the source',
  'destination-dropped': ({ renamedTo, isRenamed, keptRows }) =>
    renamedTo === undefined
      ? `the destination table was dropped${withoutKept(keptRows)}`
      : isRenamed
        ? `the destination table was renamed to ${renamedTo}`
        : `the destination table was dropped, or renamed to ${renamedTo}, with the same columns`,
  'destination-without-state': ({ keptRows }) =>
    `the destination has neither the table nor its state: both were dropped, or DEST_URL or DEST_DB names another database${withoutKept(keptRows)}`,
  'full-refresh-requested': () => 'a full refresh was requested',
  'full-refresh-mode': ({ unless }) =>
    `mode is full-refresh, so each sync loads the table again${unless === undefined ? '' : `, unless ${UNLESS[unless]}`}`,
  'was-full-refresh-mode': () => 'no cursor is known, because the mode was full-refresh',
  'destination-emptied': ({ keptRows }) =>
    `the destination table was emptied${withoutKept(keptRows, 'destination')}`,
  'rows-replaced': (rows) => `the destination table and its ${rowsText(rows)} are replaced`,
  adopted: () => 'the destination table is adopted: compared with the source by key',
  'cursor-unknown': () => 'no cursor is known',
  'was-reset': ({ at, ageSeconds }) =>
    ageSeconds === undefined ? `it was reset at ${utcTime(at)}` : `it was reset ${formatAge(ageSeconds)} ago`,
  'state-file-of-another-database': ({ database, keptRows }) =>
    `the state file belongs to another destination: the database "${database}" of another name or server, or before it was created again${withoutKept(keptRows)}`,
  'state-file-of-another-table': ({ table }) => `the state file belongs to ${table}`,
  'state-file-unusable': ({ message }) => `its state file cannot be used (${message})`,
  'legacy-cursor-unfit': ({ keyType }) =>
    `the older state file holds a time, and the replication key is ${keyType}`,
  drift: ({ differences, answer }) => `${differencesText(differences)}${answerText(answer)}`,
  'cursor-known': () => 'the cursor is known',
  'key-went-back': ({ name, column, from, to, rowsFrom, removal, mayKeep = false }) =>
    `${to === null ? `${noKeyText(column, rowsFrom)} (the largest was ${from})` : `the largest ${column} of the source went back from ${from} to ${to}`}, so ${ROWS_GONE[rowsFrom ?? 'table']}${goneRowsStep(name, removal, mayKeep)}`,
  'partitions-gone': ({ table, count, names, keeps }) =>
    `${count === 1 ? '1 partition' : `${formatCount(count)} partitions`} of ${table} ${count === 1 ? 'was' : 'were'} detached or dropped at the source${partitionNames(count, names)}${keeps === undefined ? ', so deleted rows are compared' : `; rows of ${count === 1 ? 'it' : 'them'} stay in the destination table. To count them, with the command that removes them, run "${tableCommand('verify', keeps)}". To keep them, set "deletes": "keep"`}`,
  'claim-needless': ({ flag, name }) =>
    `the destination table is already increp's own, so --${flag} has no effect${flag === 'replace' ? `; to load the table again, run "${tableCommand('sync', name, '--full-refresh')}"` : ''}`,
  'metadata-column-added': ({ column }) => `column "${column}" is added to the destination table`,
  'metadata-column-unfilled': ({ column }) =>
    `column "${column}" of the destination table is kept, but no longer filled`,
  'marks-stay': ({ column, deletes }) =>
    `column "${column}" of the destination table stays; ${MARKED_ROWS[deletes]}`,
  'type-created': ({ kind, type }) => `creates the ${kind} ${type}`,
  'enum-labels-added': ({ type, labels }) =>
    `gives the enum ${type} the label${labels.length > 1 ? 's' : ''} ${labels.map((label) => `'${label}'`).join(', ')}`,
  'copy-instead': ({ cause }) => copyCauseText(cause),
  'in-chunks': ({ chunks }) => `in ${chunks} chunks`,
  'load-continued': ({ done, of, later }) =>
    `continues an interrupted load: ${done} of ${of} chunks are done${done === of ? ', so it reads the changes since then and compares all keys' : ''}${laterText(later)}`,
  'load-restarted': ({ obstacle }) =>
    `starts again, because an interrupted load cannot be continued: ${textFor(RESUME_OBSTACLES, obstacle)}`,
  'rows-read-twice': ({ rows, column }) =>
    `${formatCounted(rows, 'row')} read a second time after the last chunk: their ${column} is at or above the largest value when the load began, less lookback`,
  'unchanged-since': ({ since }) => `nothing has changed at the source since ${utcTime(since)}`,
  'time-limit': ({ seconds }) => `${timeLimitText(seconds)} before it started`,
  'time-limit-in-chunks': ({ seconds, nextCommand, ...progress }) =>
    `${timeLimitText(seconds)}: ${progress.done} of ${progress.of} chunks are done; ${continuationText(progress, nextCommand)}`,
  failed: ({ message }) => message,
};

const UNLESS = {
  'transaction-ids': 'a scan of the source table shows that nothing was written (skip_unchanged)',
  digest: 'a hash of each source row shows that no row has changed (skip_unchanged)',
} as const;

const laterText = (columns: readonly string[]): string =>
  columns.length === 0
    ? ''
    : `; the next sync adds the column${columns.length > 1 ? 's' : ''} ${columns.map((name) => `"${name}"`).join(', ')}`;

const timeLimitText = (seconds: number): string => `the time limit of ${formatDuration(seconds)} was reached`;

export const reasonText = (reasons: readonly Reason[]): string =>
  reasons.map((reason) => textFor(REASONS, reason)).join('; ');

/** For a person who reads it now, beside other ages. */
export const reasonTextNow = (reasons: readonly Reason[], now: Date): string =>
  reasonText(
    reasons.map((reason) =>
      reason.code === 'was-reset'
        ? { ...reason, ageSeconds: (now.getTime() - Date.parse(reason.at)) / 1000 }
        : reason,
    ),
  );

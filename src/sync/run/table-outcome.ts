/** The result of a table in a run. */
import type { TableSettings } from '../../config/settings.ts';
import { reworded, type IncrepError } from '../../errors.ts';
import { NO_ROWS, type Failure, type TableOutcome } from '../../events.ts';
import { LISTED, listed } from '../../format.ts';
import { DELETED_AT } from '../../schema/metadata-columns.ts';
import { misspeltStep, misspeltText, misspeltTransforms } from '../../schema/misspelt-transforms.ts';
import type { Relation } from '../../schema/relations.ts';
import { findsDeleted } from '../../schema/deleted-rows.ts';
import {
  isVersioned,
  keyCandidates,
  missedBy,
  NO_HINTS,
  versionedStep,
  versionedText,
} from '../../schema/key-candidates.ts';
import { isAppend, isSameKey } from '../../schema/row-identity.ts';
import { missedTexts } from '../../report/key-texts.ts';
import { EVERYTHING, rowsFrom, sourceColumn } from '../../schema/selection.ts';
import type { Applied, ApplyResult } from './apply-plan.ts';
import type { TableFacts, TableFailure } from '../facts/facts.ts';
import { formerLogNote } from '../facts/deletion-log.ts';
import { formerTableWarning } from '../facts/former-tables.ts';
import { wholeLoadText } from '../../report/reasons.ts';
import { columnsToDrop } from '../plan/alteration.ts';
import { listDependents } from '../../postgres/dependent-object-list.ts';
import { hidesValues, staleViewNotes } from '../plan/stale-views.ts';
import { keptValueNotes } from '../plan/kept-values.ts';
import { lostKeyWarning } from '../plan/lost-key.ts';
import { renameAdvice } from '../plan/renamed-columns.ts';
import type { DraftPlan, IncrementalPlan, LoadPlan, Plan } from '../plan/plan.ts';
import type { ChunkProgress } from '../load/chunks/chunked-load.ts';
import type { RunContext } from '../context/run-context.ts';
import { startNow, type Start } from '../context/start.ts';

const readIn = ({ rowsRead, bytes }: ChunkProgress) => ({ rowsRead, bytes });

export function stoppedInChunks(
  { timeLimit: { seconds } }: RunContext,
  facts: TableFacts,
  plan: Plan,
  { progress, nextCommand }: Extract<ApplyResult, { readonly kind: 'stopped' }>,
  start: Start,
): TableOutcome {
  const { done, of } = progress;
  const reason = { code: 'time-limit-in-chunks', seconds, done, of, nextCommand } as const;
  return {
    ...outcomeOf(facts, { ...plan, reasons: [reason] }, start),
    ...readIn(progress),
    isDeferred: true,
  };
}

/** Warns if a load does not use the chunks that the configuration asks for. */
export const wholeLoadWarning = (plan: Plan): string[] =>
  plan.kind === 'load' && plan.chunking.kind === 'whole' && plan.chunking.cause
    ? [wholeLoadText(plan.chunking.cause)]
    : [];

/** Columns that the sync removes with their values. Only the destination may have these values. */
export function removedColumns(facts: TableFacts, plan: Plan): string[] {
  const isReshaped = plan.kind === 'load' || (plan.kind === 'incremental' && plan.evolution !== undefined);
  if (!isReshaped) return [];
  return columnsToDrop(facts, plan.source)
    .filter(({ name }) => name !== DELETED_AT && !hasNewName(facts, plan.source, name))
    .map(({ name }) => name);
}

function removedColumnsWarning(facts: TableFacts, plan: IncrementalPlan | LoadPlan): string[] {
  const names = removedColumns(facts, plan).map((name) => `"${name}"`);
  if (names.length === 0) return [];
  const [columns, were, name] =
    names.length === 1
      ? ['column', 'was removed with its', 'that name']
      : ['columns', 'were removed with their', 'these names'];
  const removed = `${columns} ${listed(names, LISTED)} ${were} values, because increp copies nothing under ${name} now; "dropped_columns": "keep" keeps such columns`;
  return [[removed, ...renameAdvice(facts, plan.source, true)].join('. ')];
}

/** Once, when the values arrive. `check` says it later. */
export const misspeltWarnings = ({ settings, sourceColumns = [] }: TableFacts, plan: Plan): string[] =>
  plan.kind === 'load' || (plan.kind === 'incremental' && plan.evolution !== undefined)
    ? misspeltTransforms(settings.selection, sourceColumns).map(
        (each) => `${misspeltText(each)}. ${misspeltStep(each)}`,
      )
    : [];

/**
 * Once, at the first load and at the load after a key has changed. `check` says it later. A key of inserts is common for a table
 * whose rows never change, so only a change to it is worth a warning.
 */
export function keyWarnings({ saved, settings }: TableFacts, plan: Plan): string[] {
  const { replicationKey: key, mergeKey } = settings;
  const before = saved.kind === 'record' ? saved.record : undefined;
  const isSame =
    before !== undefined && before.replicationKey === key && isSameKey(before.mergeKey, mergeKey);
  if (plan.kind !== 'load' || key === undefined || isSame) return [];
  if (
    !isAppend(settings) &&
    !findsDeleted(settings) &&
    isVersioned(keyCandidates(plan.source, NO_HINTS), key, mergeKey)
  )
    return [`${versionedText(key)}. ${versionedStep(key, mergeKey)}`];
  const missed = missedBy(plan.source, key, mergeKey);
  if (!missed) return [];
  const isChosen = typeof before?.replicationKey === 'string' && before.replicationKey !== key;
  if (missed === 'updates' && (!isChosen || isAppend(settings))) return [];
  const { what, step } = missedTexts(key, missed);
  return [`${what}. ${step}`];
}

/** Whether a changed `rename` gives the column another name, under which its values are. */
function hasNewName({ saved, settings }: TableFacts, source: Relation, name: string): boolean {
  if (saved.kind !== 'record') return false;
  const former = sourceColumn(saved.record.selection ?? EVERYTHING, name);
  return source.columns.some((column) => sourceColumn(settings.selection, column.name) === former);
}

/** A table that the run did not start because of the time limit. */
export const deferred = (
  context: RunContext,
  { settings, cursor }: { readonly settings: TableSettings; readonly cursor: string | null },
): TableOutcome => ({
  ...outcomeFor(
    settings,
    cursor,
    { action: 'skipped', reasons: [{ code: 'time-limit', seconds: context.timeLimit.seconds }] },
    startNow(),
  ),
  isDeferred: true,
});

export const cursorBefore = ({ saved }: Pick<TableFacts, 'saved'>): string | null =>
  saved.kind === 'record' ? saved.record.cursor : saved.kind === 'legacy' ? saved.cursor : null;

export const outcomeOf = (
  facts: TableFacts,
  plan: Pick<Plan, 'action' | 'reasons'>,
  start: Start,
): TableOutcome => outcomeFor(facts.settings, cursorBefore(facts), plan, start);

const outcomeFor = (
  { name, selection, deletes }: TableSettings,
  cursor: string | null,
  { action, reasons }: Pick<Plan, 'action' | 'reasons'>,
  start: Start,
): TableOutcome => ({
  name,
  status: 'skipped',
  action,
  rowsFrom: rowsFrom(selection),
  marksDeleted: deletes === 'soft',
  reasons,
  ...NO_ROWS,
  durationSeconds: (performance.now() - start.ticks) / 1000,
  cursor,
  cursorBefore: cursor,
  startedAt: start.at,
  warnings: [],
  error: undefined,
});

async function staleViews({ destination }: RunContext, facts: TableFacts, plan: Plan): Promise<string[]> {
  const oid = facts.destination?.oid;
  if (oid === undefined || !hidesValues(facts, plan)) return [];
  return staleViewNotes(facts, plan, (await listDependents(destination, [oid])).get(oid) ?? []);
}

export async function succeeded(
  context: RunContext,
  facts: TableFacts,
  plan: IncrementalPlan | LoadPlan,
  { transfer, record, unchangedSince }: Applied,
  start: Start,
): Promise<TableOutcome> {
  const warnings = [
    ...removedColumnsWarning(facts, plan),
    ...misspeltWarnings(facts, plan),
    ...formerTableWarning(facts),
    ...keptValueNotes(facts, plan),
    ...(await staleViews(context, facts, plan)),
    ...formerLogNote(facts),
    ...keyWarnings(facts, plan),
    ...lostKeyWarning(facts, plan),
    ...transfer.warnings,
  ];
  for (const message of warnings)
    await context.emit({ type: 'warning', table: facts.settings.name, message });
  const before = 'warnings' in facts.saved ? facts.saved.warnings : [];
  const { areDeletesDone, contents: _, readLog: __, refusal, reasons = plan.reasons, ...counts } = transfer;
  const reported = unchangedSince === undefined ? { ...plan, reasons } : unchanged(unchangedSince);
  return {
    ...outcomeOf(facts, reported, start),
    ...counts,
    ...(areDeletesDone && unchangedSince === undefined && { areDeletesDone }),
    status: refusal ? 'failed' : 'ok',
    error: refusal && failureOf(refusal),
    cursor: record.cursor,
    warnings: [...before, ...(unchangedSince === undefined ? wholeLoadWarning(plan) : []), ...warnings],
  };
}

/** A table that the sweep before the syncs has found to be without changes. Nothing is written for it. */
export const quiet = (
  facts: TableFacts,
  plan: IncrementalPlan,
  { at, durationSeconds, warnings }: QuietTable,
): TableOutcome => ({
  ...outcomeOf(facts, plan, { at, ticks: 0 }),
  status: 'ok',
  durationSeconds,
  warnings,
  isQuiet: true,
});

interface QuietTable extends Pick<TableOutcome, 'durationSeconds' | 'warnings'> {
  readonly at: Date;
}

/** The table is up to date, which counts as a success. */
const unchanged = (since: string): Pick<Plan, 'action' | 'reasons'> => ({
  action: 'skipped',
  reasons: [{ code: 'unchanged-since', since }],
});

export const failed = (
  facts: TableFacts,
  plan: DraftPlan | undefined,
  error: IncrepError,
  { start, repeatCommand, progress }: FailedAttempt,
): TableOutcome => ({
  ...outcomeOf(
    facts,
    plan ?? { action: 'skipped', reasons: [{ code: 'failed', message: error.message }] },
    start,
  ),
  ...(progress && readIn(progress)),
  status: 'failed',
  error: failureOf(withNextCommand(error, repeatCommand, plan)),
});

interface FailedAttempt {
  readonly start: Start;
  readonly repeatCommand?: string | undefined;
  readonly progress?: ChunkProgress | undefined;
}

/**
 * The command that follows a signal. A load in chunks continues, and its error already says how. @param repeatCommand undefined if every sync
 * does what this run did
 */
export function withNextCommand(
  error: IncrepError,
  repeatCommand: string | undefined,
  plan?: DraftPlan | Plan,
): IncrepError {
  const isLoad = plan?.kind === 'load';
  const isInChunks = isLoad && 'chunking' in plan && plan.chunking.kind !== 'whole';
  if (error.code !== 'INTERRUPTED' || isInChunks || (!isLoad && repeatCommand === undefined)) return error;
  const lost = isLoad ? 'The load was rolled back.' : 'Work that was not committed was rolled back.';
  const next =
    repeatCommand === undefined
      ? 'The next "increp sync" starts it again ("increp help large-tables").'
      : `Run again: "${repeatCommand}".`;
  return reworded(error, { what: error.message, next: `${lost} ${next}` });
}

export const failedUnknown = ({ settings, error }: TableFailure, start: Start): TableOutcome => ({
  ...outcomeFor(
    settings,
    null,
    { action: 'skipped', reasons: [{ code: 'failed', message: error.message }] },
    start,
  ),
  status: 'failed',
  error: failureOf(error),
});

export const failureOf = (error: IncrepError): Failure => ({
  code: error.code,
  message: error.message,
  hint: error.next,
  sqlstate: error.sqlstate,
  exitCode: error.exitCode,
});

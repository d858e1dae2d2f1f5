/** What the next sync of one table would do. */
import type { TableSettings } from '../config/settings.ts';
import type { IncrepError } from '../errors.ts';
import type { Action, Loader } from '../events.ts';
import type { Dependent } from '../postgres/dependent-object-list.ts';
import type { CopyCause, Reason } from '../reasons.ts';
import { reasonText } from '../report/reasons.ts';
import { findsDeleted } from '../schema/deleted-rows.ts';
import { printName, type TableName } from '../schema/names.ts';
import type { Relation } from '../schema/relations.ts';
import { rowsFrom } from '../schema/selection.ts';
import { formerLogNote, logPosition, logTable } from '../sync/facts/deletion-log.ts';
import type { TableFacts } from '../sync/facts/facts.ts';
import { formerTableNote } from '../sync/facts/former-tables.ts';
import { renamedTableNote } from '../sync/facts/renamed-tables.ts';
import { formerWriting, resetAtOf } from '../sync/facts/saved-state.ts';
import type { InFlight } from '../sync/fence/fence.ts';
import { fenceWarnings, wentBack } from '../sync/fence/next-state.ts';
import type { ConversionPreview } from '../sync/load/preview-conversions.ts';
import type { RemovedRowsPreview } from '../sync/load/preview-removed-rows.ts';
import { limitRefusal } from '../sync/load/removed-rows.ts';
import type { CopiedTable } from '../sync/objects/copied-table.ts';
import { renamedColumnNote, unfilledColumns } from '../sync/plan/altered-destination.ts';
import { partitionsGone } from '../sync/plan/build-plan.ts';
import { discardedLoad } from '../sync/plan/complete-plan.ts';
import { keptValueNotes } from '../sync/plan/kept-values.ts';
import { staleViewNotes } from '../sync/plan/stale-views.ts';
import { lostKeyWarning } from '../sync/plan/lost-key.ts';
import { mayStage, stagingFault } from '../sync/plan/destination-refusals.ts';
import { previewEvolution, previewExtension, type EvolutionPreview } from '../sync/plan/evolution-preview.ts';
import { findObstruction, isItself, type Obstruction } from '../sync/plan/obstructions.ts';
import { refuse, type LoadPlan, type Plan } from '../sync/plan/plan.ts';
import { renameAdvice, renameBack } from '../sync/plan/renamed-columns.ts';
import type { QuietVerdict } from '../sync/run/quiet-table.ts';
import {
  keyWarnings,
  misspeltWarnings,
  removedColumns,
  wholeLoadWarning,
} from '../sync/run/table-outcome.ts';
import { selectionWords } from './describe-selection.ts';
import { keyNotes, writingRules } from './describe-write-rules.ts';
import type { Estimate, Volume } from './estimate.ts';

export interface Preview {
  readonly name: string;
  /** `not-planned`: the facts about the table are missing, for example because it is locked. */
  readonly action: Action | 'refused' | 'not-planned';
  readonly reason: string;
  /** The same as codes. Empty if there is no plan. */
  readonly reasons: readonly Reason[];
  /** The pattern of tables-config.json that matched the table. */
  readonly pattern: string | undefined;
  /** The selected part of the source, as text; undefined if everything is copied. */
  readonly selects: string | undefined;
  readonly rowsFrom: 'where' | 'query' | undefined;
  readonly copy: TableName;
  /** The name of the destination table in files and histories. */
  readonly recordName: string;
  /** Changes of types at the destination. They are part of the reason. */
  readonly typeChanges: readonly string[];
  /** How the destination table would be altered in place; undefined if it would not. */
  readonly evolution: EvolutionPreview | undefined;
  /** How rows are written, if this is not the default, as text. */
  readonly rules: readonly string[];
  readonly loader: Loader | undefined;
  /** Why `auto` chose COPY. */
  readonly loaderCause: CopyCause | undefined;
  /** What would be read; undefined if it is unknown or nothing is read. */
  readonly estimated: Volume | undefined;
  /** Rows that a sync reads again although there is nothing new, because nothing shows that they are unchanged. */
  readonly readAgain: Volume | undefined;
  /** The same for the whole table. */
  readonly whole: Volume | undefined;
  /** The time of a reset that no sync has followed. */
  readonly resetAt: Date | undefined;
  readonly cursor: string | null;
  /** How far below the cursor the window of an incremental sync begins. An integer key has no lookback. */
  readonly lookbackSeconds: number | undefined;
  /** The largest key at the source now; null if there is no plausible key or nothing can be read. */
  readonly high: string | null;
  readonly hasWork: boolean;
  /** Whether this sync would compare the keys for deleted rows. */
  readonly removesDeleted: boolean;
  /** When that was last done, in RFC 3339; undefined if `deletes` is "ignore". */
  readonly deletes:
    | {
        readonly checkedAt: string | null;
        /** Set if the last sync could not remove the rows that it found. */
        readonly refusedAt: string | null;
        readonly everySeconds: number;
        readonly isChanged: boolean;
        readonly log: string | undefined;
      }
    | undefined;
  /** As configured. */
  readonly deletionLog: TableSettings['deletionLog'];
  readonly mayStage: boolean;
  /** Dependent objects of a destination table whose shape would change. */
  readonly dependents: readonly Dependent[];
  /** Why that would be refused, as far as the catalog shows. */
  readonly obstruction: Obstruction | undefined;
  /** Rows of the destination that a load would remove; undefined without a load, or if it can remove none. */
  readonly gone: RemovedRowsPreview | undefined;
  /** Whether these rows are marked and stay. */
  readonly isMarked: boolean;
  /** Columns of the destination that the sync would remove with their values. */
  readonly removedColumns: readonly string[];
  /** What would be done for indexes of the source; undefined if they are not copied. */
  readonly objects: CopiedTable | undefined;
  readonly warnings: readonly string[];
  readonly error: IncrepError | undefined;
}

export interface OpenTransactions {
  readonly fencedAt: Date;
  readonly remaining: readonly InFlight[];
}

export const fencesOf = ({ saved }: TableFacts) => (saved.kind === 'record' ? saved.record.fences : []);

/** The transactions that the last sync of the table left open. */
function stillOpen(table: TableFacts, { fencedAt, remaining }: OpenTransactions): string[] {
  const listed = new Set(fencesOf(table).flatMap(({ transactions }) => transactions));
  const known = remaining.filter(({ transaction }) => listed.has(transaction));
  return known.length === 0 ? [] : fenceWarnings(table, { fencedAt, remaining: known });
}

export const isReshaped = (plan: Plan): boolean =>
  plan.kind === 'load'
    ? plan.way === 'swap' || plan.way === 'extend'
    : plan.kind === 'incremental' && plan.evolution !== undefined;

interface PreviewFacts {
  readonly estimate: Estimate | undefined;
  /** What shows whether there are changes. Undefined if nothing does, or if there is other work. */
  readonly verdict: QuietVerdict | undefined;
  readonly dependents: readonly Dependent[];
  readonly gone: RemovedRowsPreview | undefined;
  readonly conversion: ConversionPreview | undefined;
  readonly objects: CopiedTable | undefined;
  /** The run that syncs the table now. */
  readonly activeRun: string | undefined;
  readonly open: OpenTransactions;
  readonly isForced: boolean;
}

const UNSIZED: readonly Relation['kind'][] = ['query', 'view', 'foreign table'];

export function previewOf(table: TableFacts, plan: Plan, seen: PreviewFacts): Preview {
  const { estimate, verdict, dependents, gone, conversion, objects, activeRun, open, isForced } = seen;
  const { settings, source, saved } = table;
  const cursor =
    saved.kind === 'record' ? saved.record.cursor : saved.kind === 'legacy' ? saved.cursor : null;
  const isQuiet = verdict?.kind === 'quiet';
  const high = (isQuiet ? verdict.high : estimate?.high) ?? null;
  const hasFences = fencesOf(table).length > 0;
  const hasWork =
    plan.kind === 'load' ||
    (plan.kind === 'incremental' &&
      !isQuiet &&
      (high !== cursor ||
        verdict?.hasNewRows === true ||
        hasFences ||
        plan.removesDeleted ||
        plan.rewritten?.code === 'partitions-attached' ||
        plan.rewritten?.code === 'destination-replaced' ||
        plan.typeChanges.length > 0 ||
        plan.evolution !== undefined));
  // If the source shows no changes, the sync needs no staging table.
  const isCertain = hasWork && !('unchangedCheck' in plan && plan.unchangedCheck !== undefined);
  const fault = isCertain ? stagingFault(table, plan) : undefined;
  if (fault) return previewOf(table, refuse(fault), seen);
  const evolution =
    plan.kind === 'incremental'
      ? previewEvolution(table, plan, dependents)
      : plan.kind === 'load'
        ? previewExtension(table, plan, dependents)
        : undefined;
  // The catalog has no size for a query, a view or a foreign table.
  const whole =
    source && !UNSIZED.includes(source.kind)
      ? { rows: source.estimatedRows, bytes: source.bytes }
      : undefined;
  const toLoad = estimate?.window ?? whole;
  const lostKey = lostKeyWarning(table, plan);
  const obstruction =
    obstructionOf(table, plan, { dependents, gone, isForced }) ??
    evolution?.obstruction ??
    refusedConversion(conversion);
  return {
    name: settings.name,
    action: plan.kind === 'refuse' ? 'refused' : plan.action,
    reason: reasonText(plan.reasons),
    reasons: plan.reasons,
    pattern: settings.pattern,
    selects: selectionWords(table),
    rowsFrom: rowsFrom(settings.selection),
    copy: table.destinationName,
    recordName: table.recordName,
    typeChanges: 'typeChanges' in plan ? plan.typeChanges.map((change) => reasonText([change])) : [],
    evolution,
    rules: plan.kind === 'load' || plan.kind === 'incremental' ? writingRules(table) : [],
    loader: plan.kind === 'load' && plan.adoption !== 'compare' ? plan.loader.loader : undefined,
    loaderCause: plan.kind === 'load' && !plan.loader.isAgainstWish ? plan.loader.cause : undefined,
    estimated:
      plan.kind === 'load'
        ? toLoad && restOf(toLoad, plan, estimate?.changes)
        : hasWork
          ? estimate?.window
          : undefined,
    readAgain: plan.kind === 'incremental' && !hasWork && !verdict ? estimate?.window : undefined,
    whole,
    resetAt: resetAtOf(saved),
    cursor,
    lookbackSeconds:
      plan.kind === 'incremental' && plan.keyType !== 'integer' ? settings.lookbackSeconds : undefined,
    high,
    hasWork,
    removesDeleted: plan.kind === 'incremental' && plan.removesDeleted,
    deletes: !findsDeleted(settings)
      ? undefined
      : {
          checkedAt: saved.kind === 'record' ? saved.record.deletesCheckedAt : null,
          refusedAt: saved.kind === 'record' ? saved.record.deletesRefusedAt : null,
          everySeconds: settings.deletesEverySeconds,
          isChanged: saved.kind === 'record' && formerWriting(saved).deletes !== settings.deletes,
          log: logName(table),
        },
    deletionLog: settings.deletionLog,
    mayStage: mayStage(table),
    // The owner of the table itself is in the obstruction.
    dependents: isReshaped(plan) ? dependents.filter((each) => !isItself(each)) : [],
    obstruction,
    gone,
    // The obstruction says how to keep them.
    removedColumns: obstruction ? [] : removedColumns(table, plan),
    isMarked: settings.deletes === 'soft',
    objects,
    warnings: [
      ...(activeRun === undefined ? [] : [`another run syncs this table now: ${activeRun}`]),
      ...('warnings' in saved ? saved.warnings : []),
      ...(plan.kind === 'incremental' ? (verdict?.nullKeys ?? estimate?.nullKeys ?? []) : []),
      ...(plan.kind === 'incremental' ? stillOpen(table, open) : []),
      ...(plan.kind === 'incremental' && plan.rewritten && !plan.evolution
        ? [reasonText([plan.rewritten])]
        : []),
      ...(plan.kind === 'incremental'
        ? wentBack(table, plan, high).map((reason) => reasonText([reason]))
        : []),
      ...(plan.kind === 'incremental' && !findsDeleted(settings)
        ? partitionsGone(table).map((reason) => reasonText([reason]))
        : []),
      ...((plan.kind === 'load' || plan.kind === 'incremental') && source && !obstruction
        ? [...renameAdvice(table, source), ...renameBack(table, source), ...renamedColumnNote(table, source)]
        : []),
      ...(plan.kind === 'incremental' ? plan.reasons.filter(isColumnChange) : []).map((reason) =>
        reasonText([reason]),
      ),
      ...unfilledNote(table, plan),
      ...misspeltWarnings(table, plan),
      ...(plan.kind === 'refuse' ? [] : formerLogNote(table)),
      ...keyWarnings(table, plan),
      ...lostKey,
      ...((plan.kind === 'load' || plan.kind === 'incremental') && !obstruction
        ? [...keptValueNotes(table, plan), ...staleViewNotes(table, plan, dependents)]
        : []),
      ...(plan.kind === 'refuse' ? [] : [...renamedTableNote(table), ...formerTableNote(table)]),
      ...wholeLoadWarning(plan),
      ...(activeRun === undefined ? discardedLoad(table, plan, false) : []),
      ...(plan.kind === 'refuse' ? [] : schemaNote(table)),
      ...(plan.kind === 'load' && lostKey.length === 0 ? keyNotes(table, plan) : []),
      ...(evolution?.warnings ?? []),
      ...(conversion?.warnings ?? []),
      ...(plan.kind === 'refuse' ? plan.others.map(({ message, next }) => `${message}. ${next}`) : []),
    ],
    error: plan.kind === 'refuse' ? plan.error : undefined,
  };
}

/** The deletion log that the sync would read. */
function logName({ settings, saved }: TableFacts): string | undefined {
  const { deletionLog, source } = settings;
  if (!deletionLog || logPosition({ saved }, settings) === undefined) return undefined;
  const log = logTable(deletionLog, source);
  return log ? printName(log) : 'the query of deletes_from';
}

function obstructionOf(
  table: TableFacts,
  plan: Plan,
  { dependents, gone, isForced }: Pick<PreviewFacts, 'dependents' | 'gone' | 'isForced'>,
): Obstruction | undefined {
  if (plan.kind !== 'load') return undefined;
  const built = isReshaped(plan) ? findObstruction(table, plan.source, dependents) : undefined;
  if (built) return built;
  const refusal = gone && limitRefusal({ facts: table, plan, isForced }, gone);
  return refusal && { what: refusal.message, next: refusal.next };
}

/** The effect of a plan names no other reason than a change of shape. */
const isColumnChange = ({ code }: Reason): boolean =>
  code === 'metadata-column-added' || code === 'metadata-column-unfilled' || code === 'marks-stay';

const refusedConversion = (conversion: ConversionPreview | undefined): Obstruction | undefined =>
  conversion?.refusal && { what: conversion.refusal.message, next: conversion.refusal.next };

const unfilledNote = (table: TableFacts, plan: Plan): string[] => {
  const unfilled =
    plan.kind === 'load' || plan.kind === 'incremental' ? unfilledColumns(table, plan.source) : undefined;
  return unfilled ? [`${unfilled.what}. ${unfilled.next}`] : [];
};

const schemaNote = ({ destinationSchema: { exists }, destinationName: { schema } }: TableFacts): string[] =>
  exists ? [] : [`the destination has no schema "${schema}" yet, and the sync creates it`];

/** The missing part of an interrupted load, with the changes since it began. */
function restOf({ rows, bytes }: Volume, { chunking }: LoadPlan, changes?: Volume): Volume {
  if (chunking.kind !== 'chunks' || !chunking.resumed) return { rows, bytes };
  const share = 1 - chunking.resumed.done.length / chunking.starts.length;
  const isDone = share === 0;
  return {
    rows: isDone ? changes?.rows : rows === undefined ? undefined : rows * share + (changes?.rows ?? 0),
    bytes: bytes * share + (changes?.bytes ?? 0),
    isMore: changes?.isMore ?? false,
  };
}

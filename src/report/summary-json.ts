/** Results as JSON: snake_case, seconds, bytes, times in RFC 3339 UTC. Fields are only ever added. */
import type { IncrepError } from '../errors.ts';
import type { DestinationOutcome, Failure, RowCounts, RunSummary, TableOutcome } from '../events.ts';

import type { ObjectChange } from '../reasons.ts';
import { reasonText } from './reasons.ts';

export const FORMAT_VERSION = 1;

const inMilliseconds = (seconds: number) => Math.round(seconds * 1000) / 1000;

export function failureToJson(failure: Failure) {
  return {
    code: failure.code,
    message: failure.message,
    hint: failure.hint,
    sqlstate: failure.sqlstate ?? null,
  };
}

/** Why a command, or its part for one table, failed. */
export const errorToJson = ({ code, message, next: hint, sqlstate }: ErrorInWords) => ({
  code,
  message,
  hint,
  sqlstate: sqlstate ?? null,
});

export type ErrorJson = ReturnType<typeof errorToJson>;

type ErrorInWords = Pick<IncrepError, 'code' | 'message' | 'next'> & {
  readonly sqlstate?: string | undefined;
};

export const countsToJson = (counts: RowCounts) => ({
  rows_read: counts.rowsRead,
  rows_inserted: counts.rowsInserted,
  rows_updated: counts.rowsUpdated,
  rows_unchanged: counts.rowsUnchanged,
  rows_deleted: counts.rowsDeleted,
  rows_newer: counts.rowsNewer,
  conflicts: counts.conflicts ?? null,
  bytes: counts.bytes,
});

export function tableToJson(outcome: TableOutcome) {
  return {
    name: outcome.name,
    ...(outcome.destination !== undefined && { destination: outcome.destination }),
    status: outcome.status,
    action: outcome.action,
    reason: reasonText(outcome.reasons),
    loader: outcome.loader ?? null,
    ...countsToJson(outcome),
    duration_s: inMilliseconds(outcome.durationSeconds),
    cursor: outcome.cursor,
    ...(outcome.objects && { objects: outcome.objects.map(objectToJson) }),
    warnings: outcome.warnings,
    error: outcome.error ? failureToJson(outcome.error) : null,
  };
}

const objectToJson = (object: ObjectChange) => ({
  kind: object.kind,
  name: object.name,
  change: object.change,
  ...('message' in object && { message: object.message }),
  ...('statement' in object && { statement: object.statement }),
});

const destinationToJson = ({ name, status, error }: DestinationOutcome) => ({
  name,
  status,
  error: error ? failureToJson(error) : null,
});

export type TableJson = ReturnType<typeof tableToJson>;

/** Seconds from the start to the end of a run. Never negative, even if the clock was set back. */
export function runSeconds(summary: Pick<RunSummary, 'startedAt' | 'finishedAt'>): number {
  return Math.max(0, summary.finishedAt.getTime() - summary.startedAt.getTime()) / 1000;
}

export function summaryToJson(summary: RunSummary) {
  return {
    type: 'summary' as const,
    format_version: FORMAT_VERSION,
    run_id: summary.runId,
    pipeline: summary.pipeline,
    status: summary.status,
    started_at: summary.startedAt.toISOString(),
    finished_at: summary.finishedAt.toISOString(),
    duration_s: inMilliseconds(runSeconds(summary)),
    ...(summary.destinations && { destinations: summary.destinations.map(destinationToJson) }),
    tables: summary.tables.map(tableToJson),
    /** The tables above that the time limit deferred to the next run. */
    deferred: [...new Set(summary.tables.filter(({ isDeferred }) => isDeferred).map(({ name }) => name))],
    warnings: summary.warnings,
    error: summary.error ? failureToJson(summary.error) : null,
  };
}

export type SummaryJson = ReturnType<typeof summaryToJson>;

/** Finds the tables without changes before any table is synced, many tables in one message. */
import type pg from 'pg';
import * as z from 'zod';
import type { ServerIdentity } from '../../postgres/identity.ts';
import { isSameTable, type TableName } from '../../schema/names.ts';
import { isSameInstance, serverInstanceSchema } from '../../schema/state-record.ts';
import { IN_FLIGHT } from '../../sql/fence.ts';
import { keyOrigins } from '../../sql/key-origin.ts';
import { lockTimeout } from '../../sql/reshape.ts';
import type { Statement } from '../../sql/search-path.ts';
import { serverInstance } from '../../sql/session.ts';
import { PROBED_AT, withoutScans } from '../../sql/window.ts';
import type { RunContext } from '../context/run-context.ts';
import { instanceOf } from '../facts/server-instance.ts';
import type { TableFacts } from '../facts/facts.ts';
import { transactionRow } from '../fence/fence.ts';
import { quietQuestion, type Parts, type QuietQuestion, type QuietVerdict } from './quiet-table.ts';
import { planTable } from '../plan/plan-table.ts';
import type { IncrementalPlan, PlanRequest } from '../plan/plan.ts';

interface SweptTable {
  readonly facts: TableFacts;
  readonly plan: IncrementalPlan;
  readonly question: QuietQuestion;
}

/** Seconds. Older states are saved again, so that each table has a sync of its own in the history every day. */
const RENEWED_AFTER = 86_400;

interface SweptVerdict {
  readonly plan: IncrementalPlan;
  readonly verdict: QuietVerdict;
  readonly at: Date;
  /** The share of this table in the time for all of them. */
  readonly durationSeconds: number;
}

/** Tables that were not asked, and those that made an error, have no verdict. */
export type SweepResult = () => Promise<ReadonlyMap<TableFacts, SweptVerdict>>;

/**
 * Sends the questions, and returns what waits for the answers. With a second connection to the source, the caller may use
 * the first one in between.
 */
export async function beginQuietSweep(
  { source, timing }: Pick<RunContext, 'source' | 'timing'>,
  tables: readonly TableFacts[],
  request: PlanRequest,
  { isPreview }: { readonly isPreview: boolean } = { isPreview: false },
): Promise<SweepResult> {
  const candidates = tables.flatMap((facts) =>
    isPreview || hasCurrentFile(facts) ? candidateOf(facts, request) : [],
  );
  if (candidates.length === 0) return () => Promise.resolve(new Map());
  const at = new Date();
  const before = performance.now();
  const identity = await source.identity();
  const answers = await source.batches.begin(
    candidates,
    (batch) => questionsOf(batch, identity, timing.sweepLock),
    (batch, results) => verdictsOf(batch, results, at),
  );
  return async () => {
    const verdicts = await answers();
    const durationSeconds = (performance.now() - before) / 1000 / candidates.length;
    return new Map(
      candidates.flatMap(({ facts, plan }, index): [TableFacts, SweptVerdict][] => {
        const verdict = verdicts[index];
        return verdict?.kind === 'done'
          ? [[facts, { plan, verdict: verdict.value, at, durationSeconds }]]
          : [];
      }),
    );
  };
}

/** A run writes the file again if it is missing or older. */
const hasCurrentFile = ({ saved, stateFile }: TableFacts): boolean =>
  saved.kind === 'record' &&
  stateFile.kind === 'record' &&
  stateFile.record.generation === saved.record.generation;

/** A plan without any work besides new rows. */
function candidateOf(facts: TableFacts, request: PlanRequest): SweptTable[] {
  const { saved, pendingLoad, formerStateName, sourceRows } = facts;
  // One statement cannot read the table.
  if (sourceRows.inGroups) return [];
  if (saved.kind !== 'record' || saved.warnings.length > 0 || pendingLoad || formerStateName !== undefined)
    return [];
  // The next sync saves the new name of a table that was renamed.
  if (!isSameTable(saved.record.source, facts.sourceName)) return [];
  const ageSeconds = (request.now.getTime() - Date.parse(saved.record.syncedAt)) / 1000;
  if (ageSeconds < 0 || ageSeconds > RENEWED_AFTER) return [];
  const plan = planTable(facts, request);
  const isPlain =
    plan.kind === 'incremental' &&
    plan.reasons.every(({ code }) => code === 'cursor-known') &&
    !plan.evolution &&
    !plan.removesDeleted &&
    !plan.removesFirst &&
    plan.hasMergeIndex;
  const question = isPlain ? quietQuestion(facts, plan) : undefined;
  return question && isPlain ? [{ facts, plan, question }] : [];
}

/** Waits only briefly for a table that another session has locked, because the message holds locks on other tables. */
const questionsOf = (
  batch: readonly SweptTable[],
  identity: ServerIdentity,
  lockSeconds: number,
): readonly Statement[] => [
  ...[lockTimeout(lockSeconds), serverInstance(identity), IN_FLIGHT, keyOrigins(withoutSequence(batch))],
  // Together, because statements on tables of users that follow each other need one change of the search_path.
  ...batch.flatMap(({ question: { origin } }) => origin),
  ...batch.flatMap(({ question: { mark } }) => mark),
  ...batch.flatMap(({ question: { nulls } }) => nulls),
  ...batch.flatMap(({ question: { logged } }) => logged),
  ...withoutScans(batch.flatMap(({ question: { probe } }) => probe)),
];

const withoutSequence = (batch: readonly SweptTable[]): TableName[] =>
  batch.flatMap(({ question }) => question.withoutSequence ?? []);

function verdictsOf(
  batch: readonly SweptTable[],
  results: readonly pg.QueryResult[],
  at: Date,
): QuietVerdict[] {
  const [, instance, inFlight, copied, ...answers] = results;
  const now = serverInstanceSchema.parse(instance?.rows[0]);
  const open = z.array(transactionRow).parse(inFlight?.rows);
  const next = (asked: readonly Statement[]) => (asked.length === 0 ? undefined : answers.shift());
  const all = (part: keyof Parts<unknown>) => batch.map(({ question }) => next(question[part]));
  const [origins, marks, nulls, logged] = [all('origin'), all('mark'), all('nulls'), all('logged')];
  answers.splice(0, PROBED_AT);
  const probes = all('probe');
  const copiedRows: unknown[] = [...(copied?.rows ?? [])];
  return batch.map(({ facts, question }, place): QuietVerdict => {
    const origin: unknown = question.withoutSequence && copiedRows.shift();
    if (!isSameInstance(now, instanceOf(facts))) return { kind: 'may-have-changed', hasNewRows: false };
    const own = {
      ...{ origin: origins[place], mark: marks[place], nulls: nulls[place] },
      ...{ logged: logged[place], probe: probes[place] },
    };
    return question.verdictOf(own, { at, inFlight: open, origin });
  });
}

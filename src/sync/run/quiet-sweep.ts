/** Finds the tables without changes before any table is synced, many tables in one message. */
import * as z from 'zod';
import type { TableOutcome } from '../../events.ts';
import { inBatches } from '../../postgres/batches.ts';
import { isSameTable } from '../../schema/names.ts';
import { isSameInstance, serverInstanceSchema } from '../../schema/state-record.ts';
import { IN_FLIGHT } from '../../sql/fence.ts';
import { lockTimeout } from '../../sql/reshape.ts';
import { serverInstance } from '../../sql/session.ts';
import type { RunContext } from '../context/run-context.ts';
import { instanceOf } from '../facts/server-instance.ts';
import type { TableFacts } from '../facts/facts.ts';
import { transactionRow } from '../fence/fence.ts';
import { quietQuestion, split, type QuietQuestion, type QuietVerdict } from './quiet-table.ts';
import { planTable } from '../plan/plan-table.ts';
import type { IncrementalPlan, PlanRequest } from '../plan/plan.ts';
import { quiet } from './table-outcome.ts';

interface SweptTable {
  readonly facts: TableFacts;
  readonly plan: IncrementalPlan;
  readonly question: QuietQuestion;
}

/** Seconds. Older states are saved again, so that each table has a sync of its own in the history every day. */
const RENEWED_AFTER = 86_400;

/** The results of tables without changes, by name. All other tables have to be synced, also those that made an error. */
export async function findQuiet(
  context: RunContext,
  tables: readonly TableFacts[],
  request: PlanRequest & { readonly isVerified: boolean },
): Promise<Map<string, TableOutcome>> {
  const candidates = request.isVerified ? [] : tables.flatMap((facts) => candidateOf(facts, request));
  const found = new Map<string, TableOutcome>();
  const [first] = candidates;
  if (!first) return found;
  const at = new Date();
  const before = performance.now();
  const verdicts = await inBatches(candidates, (batch) => ask(context, batch, at));
  const durationSeconds = (performance.now() - before) / 1000 / candidates.length;
  for (const [index, { facts, plan }] of candidates.entries()) {
    const verdict = verdicts[index];
    if (verdict?.kind === 'done' && verdict.value.kind === 'quiet')
      found.set(facts.settings.name, quiet(facts, plan, { at, durationSeconds, ...verdict.value }));
  }
  return found;
}

/** A plan without any work besides new rows. */
function candidateOf(facts: TableFacts, request: PlanRequest): SweptTable[] {
  const { saved, stateFile, pendingLoad, formerStateName } = facts;
  if (saved.kind !== 'record' || saved.warnings.length > 0 || pendingLoad || formerStateName !== undefined)
    return [];
  // A run writes the file again if it is missing or older.
  if (stateFile.kind !== 'record' || stateFile.record.generation !== saved.record.generation) return [];
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
async function ask(
  { source, timing }: RunContext,
  batch: readonly SweptTable[],
  at: Date,
): Promise<QuietVerdict[]> {
  const asked = batch.map(({ question }) => question.statements);
  const first = [lockTimeout(timing.sweepLock), serverInstance(await source.identity()), IN_FLIGHT];
  const [, instance, inFlight, ...answers] = await source.readAtOnce([...first, ...asked.flat()]);
  const now = serverInstanceSchema.parse(instance?.rows[0]);
  const open = z.array(transactionRow).parse(inFlight?.rows);
  const answersOf = split(answers, asked);
  return batch.map(({ facts, question }, place): QuietVerdict =>
    isSameInstance(now, instanceOf(facts))
      ? question.verdictOf(answersOf[place] ?? [], { at, inFlight: open })
      : { kind: 'may-have-changed' },
  );
}

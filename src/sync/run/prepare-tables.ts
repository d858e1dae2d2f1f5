/** Gathers the facts of all tables before the first sync, and finds the tables without changes. */
import type { IncrepError } from '../../errors.ts';
import type { TableOutcome, WaitingRows } from '../../events.ts';
import { BATCH_SIZE, batchesOf, GROUP_SIZE } from '../../postgres/batches.ts';
import type { RunContext } from '../context/run-context.ts';
import type { Facts, TableFacts, TableFailure } from '../facts/facts.ts';
import { gatherFacts, serversOf } from '../facts/gather-facts.ts';
import { describeAhead } from '../facts/gather-groups.ts';
import { ensureDifferentDatabases } from '../facts/same-database.ts';
import { writeRefusal } from '../facts/writable-destination.ts';
import type { DatedFacts } from './next-facts.ts';
import { prepareDestination } from './prepare-destination.ts';
import { countWaiting } from './count-waiting.ts';
import { beginQuietSweep, type SweepResult } from './quiet-sweep.ts';
import { persistently } from './retries.ts';
import { quiet as quietOutcome } from './table-outcome.ts';
import type { RunRequest } from './run-request.ts';
import type { TableRequest } from './sync-table.ts';
import { outlineOf, type TableOutline } from './table-outline.ts';

interface PrepareRequest extends TableRequest, Pick<RunRequest, 'tables' | 'look'> {
  /** Hears how many tables with work were found so far. */
  readonly foundWork: (tables: number) => void;
}

export interface Prepared {
  readonly known: readonly TableOutline[];
  readonly failures: readonly TableFailure[];
  /** The last batch. */
  readonly latest: DatedFacts | undefined;
  /** The results of tables without changes, by name. */
  readonly quiet: ReadonlyMap<string, TableOutcome>;
  /** Of a look. */
  readonly waiting: readonly WaitingRows[];
}

/**
 * Works on a group of tables while the servers describe the next group, and look for changes in the group before. The
 * servers do that on connections of their own, so nothing else uses the first connections meanwhile.
 */
export async function prepareTables(context: RunContext, request: PrepareRequest): Promise<Prepared> {
  await persistently(context, undefined, () => ensureUsable(context));
  const groups = [...batchesOf(request.tables, GROUP_SIZE)];
  const [known, failures]: [TableOutline[], TableFailure[]] = [[], []];
  let latest: DatedFacts | undefined;
  const quiet = new Map<string, TableOutcome>();
  let described = describeAhead(context, groups[0]);
  let swept: SweepResult = () => Promise.resolve(new Map());
  const waiting: WaitingRows[] = [];
  let found = 0;
  let asked: readonly TableFacts[] = [];
  const collect = async () => {
    for (const [facts, { plan, verdict, ...times }] of await swept())
      if (verdict.kind === 'quiet')
        quiet.set(facts.settings.name, quietOutcome(facts, plan, { ...times, ...verdict }));
    const withWork = asked.filter(({ settings: { name, isEnabled } }) => isEnabled && !quiet.has(name));
    found += withWork.length;
    if (request.look) waiting.push(...(await countWaiting(context, withWork)));
    else request.foundWork(found);
  };
  await using _ = endingPipelines(context);
  for (const [place, group] of groups.entries()) {
    const { at, sides } = described;
    // A second attempt describes the tables again.
    const first = [await sides];
    described = describeAhead(context, groups[place + 1]);
    const facts = await persistently(context, undefined, async () => {
      const early = first.pop();
      const gathered = await gatherFacts(context, group, early && Promise.resolve(early));
      return withoutUnprepared(gathered, await prepareDestination(context, gathered, request));
    });
    known.push(...facts.tables.map(outlineOf));
    failures.push(...facts.failures);
    latest = { facts: { ...facts, tables: facts.tables.slice(-BATCH_SIZE) }, at };
    await collect();
    swept = await sweepPersistently(context, facts.tables, request);
    asked = facts.tables;
  }
  await collect();
  for (const table of request.look?.onlyCounted ?? [])
    if (quiet.delete(table)) waiting.push({ table, rows: 0, isMore: false });
  return { known, failures, latest, quiet, waiting };
}

/** Sends the questions. The result waits for the answers, and asks again if the connection is lost. */
async function sweepPersistently(
  context: RunContext,
  tables: readonly TableFacts[],
  request: TableRequest,
): Promise<SweepResult> {
  const begin = () => beginQuietSweep(context, request.isVerified ? [] : tables, request);
  const first = [await persistently(context, undefined, begin)];
  return () => persistently(context, undefined, async () => (first.pop() ?? (await begin()))());
}

/** The rest of the run needs one connection of each side. */
const endingPipelines = ({ source, destination }: RunContext): AsyncDisposable => ({
  [Symbol.asyncDispose]: async () => {
    await Promise.all([source.batches.end(), destination.batches.end()]);
  },
});

/** @throws IncrepError if the destination is the source, or does not accept writes */
async function ensureUsable(context: RunContext): Promise<void> {
  const servers = await serversOf(context);
  ensureDifferentDatabases(context.settings, servers);
  context.destinations.add(context.settings, servers.destination);
  const refusal = writeRefusal(context, servers);
  if (refusal) throw refusal;
}

/** If increp cannot create its tables in one schema of the destination, only the tables of that schema fail. */
function withoutUnprepared(facts: Facts, refusals: ReadonlyMap<string, IncrepError>): Facts {
  const refusalOf = ({ destinationName: { schema } }: TableFacts) => refusals.get(schema);
  return {
    ...facts,
    tables: facts.tables.filter((table) => !refusalOf(table)),
    failures: [
      ...facts.failures,
      ...facts.tables.flatMap((table) => {
        const error = refusalOf(table);
        return error ? [{ settings: table.settings, error }] : [];
      }),
    ],
  };
}

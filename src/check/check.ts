/** `increp check`. An unreachable server ends the check early; all other problems are found in one run. */
import type { TableSettings } from '../config/settings.ts';
import { asIncrepError, IncrepError, done, failedWith, type Attempted } from '../errors.ts';
import { formatCount, formatCounted } from '../format.ts';
import type { RunRecord } from '../schema/run-record.ts';
import { writeFault } from '../state/state-files.ts';
import type { Facts } from '../sync/facts/facts.ts';
import { gatherFacts, serversOf } from '../sync/facts/gather-facts.ts';
import { ensureDifferentDatabases } from '../sync/facts/same-database.ts';
import { probablySwapped } from '../sync/facts/swap-signs.ts';
import type { RunContext } from '../sync/context/run-context.ts';
import { lastFailureFindings } from './last-failure-findings.ts';
import { directoryFindings, parameterFindings, settingsFindings } from './directory-findings.ts';
import { failureFinding, note, warning, type Finding } from './finding.ts';
import { buildFindings } from './build-findings.ts';
import { inspect } from './inspect.ts';
import { webhookFinding } from './webhook-finding.ts';
import { metricsTextfileFindings } from './metrics-textfile-finding.ts';

interface CheckRequest {
  readonly tables: readonly TableSettings[];
  /** Patterns that match no table of the source. */
  readonly unmatched: readonly string[];
  /** The error, if there is no table at all. */
  readonly noTables: IncrepError | undefined;
  /** Whether to send a test message to the webhook. */
  readonly testsWebhook: boolean;
  /** False after the first of several destinations. What they have in common is checked once. */
  readonly isFirst: boolean;
  /** The failures that no success has followed, by the name of the table in the history. */
  readonly lastFailures: ReadonlyMap<string, RunRecord>;
}

export async function check(context: RunContext, request: CheckRequest): Promise<Finding[]> {
  const { tables, testsWebhook, isFirst } = request;
  const reachable = await unreachable(context);
  const unwritable = await writeFault(context.settings.stateDirectory);
  const findings = [
    ...(isFirst ? settingsFindings(context.settings) : []),
    ...parameterFindings(context.settings),
    ...(isFirst ? patternFindings(request) : []),
    ...(unwritable ? [failureFinding(unwritable)] : []),
    ...(await directoryFindings(context.settings)),
    ...(isFirst && testsWebhook ? [await webhookFinding(context.settings, context)] : []),
    ...(isFirst ? await metricsTextfileFindings(context.settings) : []),
  ];
  if (reachable.length > 0) return [...reachable, ...findings];
  const same = await attempt(() => ensureDifferent(context));
  // What else both servers would show is about the wrong side.
  if (same.length > 0) return [...findings, ...same];
  const facts = await attemptFacts(context, tables);
  const swapped = facts.kind === 'done' ? swappedFinding(facts.value) : undefined;
  if (swapped) return [swapped];
  if (facts.kind === 'done') {
    const inspection = await inspect(context, facts.value);
    const built = buildFindings(inspection, context.settings, unwritable === undefined);
    const last = lastFailureFindings(inspection.plans, request.lastFailures, {
      findings: built,
      equal: inspection.equal,
      now: new Date(),
    });
    return [...findings, ...last, ...built, ...(isFirst ? deletedRowsFindings(tables) : [])];
  }
  const failure = failureFinding(facts.error);
  return findings.some(({ code }) => code === failure.code) ? findings : [...findings, failure];
}

function swappedFinding({ tables }: Facts): Finding | undefined {
  const swapped = tables.flatMap(({ saved }) => (saved.kind === 'foreign' && saved.isSwapped ? [saved] : []));
  const [first] = swapped;
  const probable = probablySwapped(tables.find(({ swapSign }) => swapSign)?.swapSign);
  if (!first) return probable && failureFinding(probable);
  const others = swapped.length > 1 ? ` (${formatCount(swapped.length)} tables)` : '';
  return failureFinding(
    new IncrepError('STATE_MISMATCH', { what: `${first.what}${others}`, next: first.next }),
  );
}

/** The default, which a copy of a table makes nobody expect. */
function deletedRowsFindings(tables: readonly TableSettings[]): Finding[] {
  const ignoring = tables.filter(
    ({ mode, deletes, isEnabled }) => isEnabled && deletes === 'ignore' && mode === 'incremental-deduped',
  );
  return ignoring.length === 0
    ? []
    : [
        note(
          'DELETED_ROWS',
          undefined,
          `rows that are deleted at the source stay at the destination (${formatCounted(ignoring.length, 'table')}), because "deletes" is "ignore"`,
          'If no rows are deleted, no action is needed. If they should go, set "deletes" to "hard", or to "soft" to mark them, in "defaults" or for a table. increp then compares both sides every 24 hours ("deletes_every"). To compare at once, run "increp sync --deletes".',
        ),
      ];
}

/** If the source cannot be queried, its error is the only finding about patterns. */
const patternFindings = ({ unmatched, noTables }: CheckRequest): Finding[] => [
  ...(noTables?.code === 'TABLE_NOT_FOUND' ? [failureFinding(noTables)] : []),
  ...unmatched.map((pattern) =>
    warning(
      'PATTERN_UNMATCHED',
      undefined,
      `no table of the source matches "${pattern}"`,
      'Correct "name" or "schema" in tables-config.json. If a matching table appears later, the next sync finds it.',
    ),
  ),
];

/** Both sides are tried, so that one run reports both errors. */
async function unreachable({ source, destination, signal }: RunContext): Promise<Finding[]> {
  const findings = [
    ...(await attempt(() => source.identity())),
    ...(await attempt(() => destination.identity())),
  ];
  signal?.throwIfAborted();
  return findings;
}

async function ensureDifferent(context: RunContext): Promise<void> {
  const servers = await serversOf(context);
  ensureDifferentDatabases(context.settings, servers);
  context.destinations.add(context.settings, servers.destination);
}

async function attemptFacts(
  context: RunContext,
  tables: readonly TableSettings[],
): Promise<Attempted<Facts>> {
  try {
    return done(await gatherFacts(context, tables));
  } catch (error) {
    context.signal?.throwIfAborted();
    return failedWith(asIncrepError(error));
  }
}

async function attempt(work: () => Promise<unknown>): Promise<Finding[]> {
  try {
    await work();
    return [];
  } catch (error) {
    return [failureFinding(asIncrepError(error))];
  }
}

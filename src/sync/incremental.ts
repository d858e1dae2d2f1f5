/** What changed since the cursor: into the staging table, and merged. */
import type pg from 'pg';
import { derivedName } from '../schema/names.ts';
import { windowStart } from '../schema/fences.ts';
import { lowestCursor } from '../schema/keys.ts';
import { createMergeKey } from '../sql/destination.ts';
import type { Window } from '../sql/window.ts';
import type { TableFacts } from './facts.ts';
import type { RaisedFence } from './fence.ts';
import { legacyStart } from './legacy-cursor.ts';
import { countsOf, olderWarning } from './load.ts';
import { dropOlderVersions, mergeOf, mergeStaging } from './merge-staging.ts';
import type { IncrementalPlan } from './plan.ts';
import { readWindow } from './read-window.ts';
import { emptyStaging } from './staging.ts';
import { knownBefore, type Transfer } from './transfer.ts';
import type { Work } from './work.ts';

export async function syncChanges(
  work: Work,
  facts: TableFacts,
  plan: IncrementalPlan,
  fence: RaisedFence,
  destination: pg.ClientBase,
): Promise<Transfer> {
  const table = facts.settings.name;
  await emptyStaging(destination, facts, plan.source.columns);
  await work.emit({ type: 'phase-started', table, phase: 'copy' });
  const reading = { work, facts, plan, destination };
  const copied = await readWindow(reading, (alive) => windowOf(facts, plan, fence, alive));
  const merge = mergeOf(facts, plan.source);
  if (copied.rows > 0) await work.emit({ type: 'phase-started', table, phase: 'merge' });
  if (!plan.hasMergeIndex) await indexMergeKey(destination, facts);
  const older = copied.rows === 0 ? 0 : await dropOlderVersions(destination, merge, plan.source);
  const counts =
    copied.rows === 0
      ? { inserted: 0, updated: 0, deleted: 0 }
      : await mergeStaging(destination, merge, false);
  return {
    loader: undefined,
    rowsRead: copied.rows,
    bytes: copied.bytes,
    warnings: [...olderWarning(older), ...legacyWarning(plan)],
    ...countsOf(counts, copied.rows - older),
  };
}

async function windowOf(
  facts: TableFacts,
  plan: IncrementalPlan,
  fence: RaisedFence,
  alive: () => Promise<string[]>,
): Promise<Window> {
  const known = knownBefore(facts, plan);
  const start =
    'legacyCursor' in plan.since
      ? legacyStart(plan.since.legacyCursor, plan.keyType)
      : windowStart(known, known.fences.length === 0 ? [] : await alive());
  return {
    replicationKey: facts.settings.replicationKey,
    keyType: plan.keyType,
    // Keys may have gone down: rows deleted at the top, a clock set back, a sequence restarted.
    from: lowestCursor(plan.keyType, [start, fence.high]),
    lookbackSeconds: facts.settings.lookbackSeconds,
    nullKeys: facts.settings.nullKeys,
  };
}

/** A copy that the older script made, or whose index a hand has dropped. */
const indexMergeKey = (destination: pg.ClientBase, { destinationName, settings }: TableFacts) =>
  destination.query(
    createMergeKey(
      destinationName,
      derivedName(destinationName.table, '_increp_key'),
      settings.mergeKey,
      false,
    ),
  );

const legacyWarning = ({ since }: IncrementalPlan): string[] =>
  'legacyCursor' in since
    ? [
        'took over the state file of the older script; run "increp verify" once to see what that script missed',
      ]
    : [];
